r"""The LaTeX in a reply: \boxed{}, and formulas between dollar signs or brackets."""

from __future__ import annotations

import re
from typing import NamedTuple

BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FORMULA = re.compile(
    r"\$\$(?P<display>[^$]{1,2000})\$\$|(?<!\\)\$(?P<inline>(?:\\\$|[^$\n]){1,2000})(?<!\\)\$"
    r"|\\\((?P<round>.{1,2000}?)\\\)|\\\[(?P<square>.{1,2000}?)\\\]",
    re.DOTALL,
)
_MOST_BOXES = 20


class LatexSpan(NamedTuple):
    """A stretch of text, from `start` to `end`."""

    start: int
    end: int


class Box(NamedTuple):
    r"""The content of a \boxed{}; to the end of its line where no brace closes it."""

    start: int
    end: int
    is_closed: bool


def boxes(text: str) -> list[Box]:
    r"""Return the last twenty \boxed{} of a text, in their order.

    A box that is not closed was cut off: it counts only where no box is closed, for the answer
    in it may be the beginning of a longer one.
    """
    every = [_box(text, match.end()) for match in [*BOX.finditer(text)][-_MOST_BOXES:]]
    return [box for box in every if box.is_closed] or every


def formulas(text: str, start: int) -> list[LatexSpan]:
    r"""Return what stands between $…$, $$…$$, \(…\) or \[…\] from `start` on."""
    return [
        LatexSpan(*match.span(match.lastgroup or 0)) for match in _FORMULA.finditer(text, start)
    ]


def _box(text: str, start: int) -> Box:
    depth = 1
    for mark in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark.group(), 0)
        if depth == 0:
            return Box(start, mark.start(), True)
    line_end = text.find("\n", start)
    return Box(start, len(text) if line_end < 0 else line_end, False)
