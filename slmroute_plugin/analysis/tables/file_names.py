"""The names of files that are made of names in the tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FILE_CHARACTERS = re.compile(r"[^A-Za-z0-9.-]+")


def file_part(name: str) -> str:
    """Turn a name into part of a file's name: letters, digits, dots and dashes, 40 at most.

    >>> file_part("gpt-4.1 mini/<b>")
    'gpt-4.1_mini_b'
    """
    return _FILE_CHARACTERS.sub("_", name)[:40].strip("_.-") or "unnamed"


def file_parts(names: Iterable[str]) -> dict[str, str]:
    """Give each name a part of a file's name, different from all others on any file system.

    >>> file_parts(["a/b", "a_b"])
    {'a/b': 'a_b', 'a_b': 'a_b-2'}
    """
    taken: set[str] = set()
    parts = {}
    for name in sorted(set(names)):
        part, number = file_part(name), 2
        while part.lower() in taken:
            part, number = f"{file_part(name)}-{number}", number + 1
        taken.add(part.lower())
        parts[name] = part
    return parts
