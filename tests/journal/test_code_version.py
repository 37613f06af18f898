"""The version of the code counts all that determines an answer, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import slmroute_plugin
from slmroute_plugin.backends.transformers import TransformersBackend
from slmroute_plugin.journal.code_version import (
    code_digest,
    code_version,
    code_versions,
    imported_sources,
)
from slmroute_plugin.plugins.backends import backend_for

BACKENDS = ("transformers", "openai_compatible")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, which a test may change."""
    original = Path(slmroute_plugin.__file__).parent
    copy = tmp_path_factory.mktemp("checkout") / original.name
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__", "tasks"))
    return copy


def changed(package: Path, file: str) -> list[str]:
    """The backends whose digest is another once a line is added to a file."""
    path = package / file
    before, source = {name: code_digest(package, name) for name in BACKENDS}, path.read_bytes()
    try:
        path.write_bytes(source + b"\nCHANGED = True\n")
        return [name for name in BACKENDS if code_digest(package, name) != before[name]]
    finally:
        path.write_bytes(source)


@pytest.mark.parametrize(
    "file",
    [
        "signals.py",
        "observation.py",
        "conversation.py",
        "backends/contract.py",
        "backends/seeding.py",
        "task/questions.py",
        "scoring/rules.py",
        "scoring/choice.py",
        "scoring/option_letter.py",
        "scoring/boolean.py",
    ],
)
def test_what_all_backends_ask_and_locate_by_counts_for_each(package: Path, file: str) -> None:
    assert changed(package, file) == [*BACKENDS]


@pytest.mark.parametrize(
    ("file", "backend"),
    [
        ("openai_protocol/bodies.py", "openai_compatible"),
        ("openai_protocol/failures.py", "openai_compatible"),
        ("backends/openai_compatible/requests.py", "openai_compatible"),
        ("backends/transformers/sampling.py", "transformers"),
        ("backends/transformers/cache/branches.py", "transformers"),
    ],
)
def test_what_one_backend_asks_by_counts_for_it_alone(
    package: Path, file: str, backend: str
) -> None:
    assert changed(package, file) == [backend]


@pytest.mark.parametrize(
    "file",
    [
        "analysis/report.py",
        "analysis/figures/curves.py",
        "cli/app.py",
        "journal/store.py",
        "probes/fitting.py",
        "routing/policy.py",
        "sweep/cell_run.py",
        "task/routed_task.py",
    ],
)
def test_what_determines_no_answer_does_not_count(package: Path, file: str) -> None:
    assert changed(package, file) == []


def test_imports_are_followed_wherever_they_stand_but_for_those_of_type_checkers(
    tmp_path: Path,
) -> None:
    package = tmp_path / "made"
    for name, source in {
        "__init__": "from made import unrelated",
        "start": (
            "import os, made.plain\n"
            "from typing import TYPE_CHECKING\n"
            "from made.inner import exported\n"
            "if TYPE_CHECKING:\n    from made import types\nelse:\n    from made import other\n"
            "def lazily():\n"
            "    try:\n        from made.lazy import a\n"
            "    except ImportError:\n        from made.fallback import a\n"
            "    match a:\n        case 1:\n            import made.matched\n"
        ),
        "inner/__init__": "from .near import exported",
        "inner/near": "from .. import far",
        "far": "from made import start",
        **dict.fromkeys(("plain", "types", "other", "lazy", "fallback", "matched"), ""),
        "unrelated": "",
    }.items():
        file = package / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    names = ("start", "plain", "inner", "inner.near", "other", "lazy", "fallback", "matched", "far")
    # `from .. import far` imports something from the package itself.
    expected = {"made", "made.unrelated", *(f"made.{name}" for name in names)}
    assert imported_sources(package, ["made.start"]).keys() == expected


def test_a_backend_has_the_version_of_its_package_and_so_has_one_derived_from_it(
    tiny: Callable[..., Any],
) -> None:
    class Derived(TransformersBackend):
        pass

    backend = backend_for(tiny(num_hidden_layers=2))
    now = code_version(backend)
    assert now.startswith(f"{version('slmroute')}+")
    assert now in code_versions()
    derived = object.__new__(Derived)
    assert code_version(derived) == now
