"""Texts of servers as logs, files and responses can hold them."""

from __future__ import annotations


def encodable(text: str) -> str:
    """Replace each half of a surrogate pair, which JSON can hold, by a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(value: object) -> str:
    """Return any value as one line of text that a log can hold."""
    return encodable(" ".join(str(value).split()))
