"""The numbers of a line: percentages, ratios, ranges and bare numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

from slmroute_plugin.reply_text import Numeral, numerals

Kind = Literal["ratio", "range", "percent", "bare"]

_OUT_OF = re.compile(r"%?\s*(?:/|out\s+of)\s*")
_TO = re.compile(r"%?\s*(?:[-\u2013\u2014]|to|and|through)\s*")
# "8 in 10" and "90 of 100"; "3 of 5" may count anything.
_IN = re.compile(r"\s+(?:of|in)\s+")
_TENS = (10, 100)
# "1e9", "10^6" and "2 million" are not how a probability is stated.
_UNUSUAL = re.compile(r"(?<!\\)[A-Za-z^*\u00d7\u00b2\u00b3\u00b9\u2070-\u207f]")
_FRACTION = re.compile(r"\\[dtc]?frac")


class Expression(NamedTuple):
    """A number as it is written.

    Attributes:
        start: The offset in the line at which it begins.
        end: The offset behind it, a percent sign included.
        kind: A ratio such as "8/10", a range such as "70-80%", a percentage or a bare number.
        part: The number itself, or the number over the slash; None if it cannot be read.
        whole: The number under the slash.
    """

    start: int
    end: int
    kind: Kind
    part: Fraction | None
    whole: Fraction | None = None

    @property
    def is_explicit(self) -> bool:
        """Whether it says by itself that it is a share: a percentage, or out of 10 or 100."""
        return self.kind == "percent" or (self.kind == "ratio" and self.whole in _TENS)


def expressions(line: str) -> list[Expression]:
    """Return the numbers of a line in lower case, with "%" for "percent", in their order."""
    return list(_scan(line, [number for number in numerals(line) if _is_usual(line, number)]))


def _is_usual(line: str, number: Numeral) -> bool:
    written = _FRACTION.sub("", line[number.start : number.end])
    return not (_UNUSUAL.search(written) or line[number.end : number.end + 1].isalpha())


def _scan(line: str, numbers: list[Numeral]) -> Iterator[Expression]:
    while numbers:
        first = numbers.pop(0)
        second = numbers[0] if numbers else None
        between = line[first.end : second.start] if second else ""
        if first.ratio or first.value is None:
            part, whole = first.ratio or (None, None)
            yield Expression(first.start, _end(line, first), "ratio", part, whole)
        elif (
            second
            and second.value is not None
            and (_OUT_OF.fullmatch(between) or (_IN.fullmatch(between) and second.value in _TENS))
        ):
            numbers.pop(0)
            yield Expression(first.start, _end(line, second), "ratio", first.value, second.value)
        elif second and _TO.fullmatch(between):
            numbers.pop(0)
            yield Expression(first.start, _end(line, second), "range", None)
        else:
            end = _end(line, first)
            kind: Kind = "percent" if end > first.end else "bare"
            yield Expression(first.start, end, kind, first.value)


def _end(line: str, number: Numeral) -> int:
    percent = re.compile(r"\s?\\?%").match(line, number.end)
    return percent.end() if percent else number.end
