"""The version of the code that determines an answer, read from the graph of imports."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import resolve_name
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slmroute_plugin.backends import Backend

_PACKAGE = Path(__file__).resolve().parent.parent
_BACKENDS = f"{_PACKAGE.name}.backends"
# It says where an answer names its option, by the task's scoring rule.
_QUESTIONS = f"{_PACKAGE.name}.task.questions"
# The fields of a statement that hold further statements.
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
_ELSE = ("orelse",)


def code_version(backend: Backend) -> str:
    """Return the package's version, and a digest of the code by which a backend answers.

    The digest is for checkouts, where the code changes and the version does not. The backend of a
    plugin counts by the first class of ours that it is derived from.
    """
    modules = (base.__module__ for base in type(backend).__mro__)
    own = (module for module in modules if module.startswith(f"{_BACKENDS}."))
    return _version(next(own, f"{_BACKENDS}.contract").split(".")[2])


def code_versions() -> frozenset[str]:
    """Return the `code_version` of every backend of ours."""
    return frozenset(_version(module.name) for module in iter_modules([str(_PACKAGE / "backends")]))


@cache
def _version(backend: str) -> str:
    return f"{version('slmroute')}+{code_digest(_PACKAGE, backend)[:12]}"


def code_digest(package: Path, backend: str) -> str:
    """Return a SHA-256, as hexadecimal text, of all code by which a backend answers.

    That code is the backend's, the code that locates the chosen option in an answer, and all of
    the package that either of them imports.

    Args:
        package: The folder of `slmroute_plugin`.
        backend: The name of a module or a package of `slmroute_plugin.backends`.
    """
    hashed = hashlib.sha256()
    sources = imported_sources(package, [f"{_BACKENDS}.{backend}", _QUESTIONS])
    for module, source in sorted(sources.items()):
        hashed.update(module.encode() + b"\0" + source + b"\0")
    return hashed.hexdigest()


def imported_sources(package: Path, modules: Iterable[str]) -> dict[str, bytes]:
    """Return the sources of modules, and of all that they import of their own package.

    An import within a function counts, an import for type checkers alone does not. The
    `__init__` of a package counts if something is imported from that package, but not if the
    package only lies on the path to a module.

    Args:
        package: The folder of the package.
        modules: The full names of the modules.

    Returns:
        The bytes of each source file, by the full name of its module.
    """
    sources: dict[str, bytes] = {}
    pending = list(modules)
    while pending:
        module = pending.pop()
        path = package.parent.joinpath(*module.split("."))
        files = [path.with_suffix(".py"), path / "__init__.py"]
        file = next((file for file in files if file.is_file()), None)
        if module in sources or file is None or not file.is_relative_to(package):
            continue
        sources[module] = file.read_bytes()
        is_package = file.stem == "__init__"
        pending += _imported(sources[module], module if is_package else module.rpartition(".")[0])
    return sources


@cache
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    return tuple(_imports(ast.parse(source).body, package))


def _imports(statements: Sequence[ast.AST], package: str) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            module = resolve_name("." * statement.level + (statement.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in statement.names)
        else:
            for block in _ELSE if _is_type_checking(statement) else _BLOCKS:
                yield from _imports(getattr(statement, block, ()), package)


def _is_type_checking(statement: ast.AST) -> bool:
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
