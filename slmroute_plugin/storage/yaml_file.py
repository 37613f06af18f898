"""YAML files that people write, in which no key may stand twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class YamlFileError(ValueError):
    """A YAML file cannot be used; the text names the file, the fault and where it is."""


def read_yaml(path: Path) -> object:
    """Read a YAML file.

    A key that stands twice in a mapping is refused, as YAML wants it: PyYAML takes the last value,
    and what was written first would be lost without a word.

    Raises:
        YamlFileError: If the file cannot be read, is not YAML, or has a key twice in a mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content: object = yaml.safe_load(text)
        _check_keys(path, yaml.compose(text, yaml.SafeLoader))
    except OSError as error:
        raise YamlFileError(f"{path}: cannot be read ({error.strerror}). Name a file.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise YamlFileError(f"{path}: not YAML: {error}") from None
    return content


def _check_keys(path: Path, root: Any) -> None:
    """Refuse a key that stands twice in a mapping of a tree of YAML nodes.

    Raises:
        YamlFileError: If one does.
    """
    seen: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue  # an alias, a scalar or nothing
        seen.add(id(node))
        if node.id == "sequence":
            nodes.extend(node.value)
            continue
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            nodes.append(value)
            # Keys that are no scalars are not for mappings in Python, and merges may come again.
            if key.id != "scalar" or key.tag == "tag:yaml.org,2002:merge":
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise YamlFileError(
                    f"{path}: {key.value!r} stands twice, in lines {lines[name]} and {line}. "
                    "Keep one of them."
                )
            lines[name] = line
