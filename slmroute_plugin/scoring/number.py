"""The final number of a reply."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import (
    marker_ends,
    sentence_end,
    skip_lead_in,
)
from slmroute_plugin.scoring.rule import Extracted, Reference

_SEPARATOR = r"(?:,\\!\s?|\{,\}|,|[\u00a0\u2009\u202f])"
_WHOLE = rf"(?:[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+(?![0-9])|[0-9]+)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
_ARGUMENT = r"(?:\{\s*[0-9]+\s*\}|[0-9])"
_NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_])(?<![0-9]\.)
    (?P<sign>(?<![\w)\]}}%])(?<![0-9)\]}}%][ ])[-\u2212\u2013])?
    (?:\\?[$\u20ac\u00a3\u00a5\u20b9][ ]?)?
    (?P<inner_sign>(?<=[$\u20ac\u00a3\u00a5\u20b9])[-\u2212\u2013])?
    (?:
        (?:(?P<whole>{_WHOLE})[ ]?)?(?:
            (?P<latex>\\[dtc]?frac)\s*(?P<latex_top>{_ARGUMENT})\s*(?P<latex_bottom>{_ARGUMENT})
          | (?P<vulgar>[\u00bc-\u00be\u2150-\u215e])
        )
      | (?:(?P<mixed>[0-9]+)[ ])?
        (?<![0-9]/)(?P<top>{_DECIMAL})[ ]?/[ ]?(?P<bottom>{_DECIMAL})(?![0-9]|/[0-9])
      | (?P<plain>{_DECIMAL}(?:[eE][-+\u2212]?[0-9]{{1,2}}(?!\w))?)
    )
    """,
    re.VERBOSE,
)
_NOT_A_DIGIT = re.compile(r"[^0-9.eE+-]")
_OPERATOR = re.compile(
    r"(?:\*\*|[^\S\n]|[_)$%]){0,4}(?:[-+*/^=x\u2212\u00d7\u00f7]|\\times|\\div)\s*[$(\\]{0,3}[0-9.]"
)
_CLOSED = re.compile(r"[\s*_)$%]{0,4}(?:[,;(]|\.(?=\s|\Z)|\n|\Z)")
_OPEN_MARKERS = ":=\uff1a\n"
_MOST_CHARACTERS = 1000


class NumberRule:
    """The final number; `value` is its shortest exact form ("1234.5", "-3", "1/3").

    After the last final marker, the number with which the statement begins, unless arithmetic
    goes on from there ("the answer is 5 + 3 = 8"); else the last number of the sentence. What
    follows a colon ("Answer: 2 pens cost 3 * 2 = 6. So…") is often the working: there the number
    must stand by itself or be the sentence's only one, else the last of all that follows counts.
    Earlier markers serve where that one has no number. Without a marker, the last number of the
    text.

    Read as a number: thousands separators ("1,2,3" is three numbers), fractions, "3 1/2" as three
    and a half, "1e3" as 1000, LaTeX fractions, ½. Currency, percent signs and units are dropped
    ("50%" is 50). A fraction over zero and what has more than a thousand characters are passed
    over. Numerals only, not words.
    """

    name: ClassVar[str] = "number"
    kind: ClassVar[AnswerKind] = "free"

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The final number in its shortest exact form."""
        numbers = [number for match in _NUMBER.finditer(text) if (number := _read(match))]
        for position in marker_ends(text):
            found = _after_marker(text, position, numbers)
            if found:
                return found
        return numbers[-1] if numbers else None

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether the number equals a target exactly; targets may carry commas and currency.

        No tolerance: "0.33" is not 1/3, and a data set that accepts it lists it.
        """
        number = self.extract(answer, reference)
        return number is not None and any(
            target.value == number.value
            for text in reference.targets
            if (target := self.extract(text, reference))
        )


def _after_marker(text: str, position: int, numbers: list[Extracted]) -> Extracted | None:
    following = [number for number in numbers if number.start >= position]
    end = sentence_end(text, position)
    within = [number for number in following if number.start < end]
    if not within:
        return None
    first = within[0]
    opens_working = text[position - 1] in _OPEN_MARKERS and not (
        len(within) == 1 or _CLOSED.match(text, first.end)
    )
    heads_statement = skip_lead_in(text, position) >= first.start
    if heads_statement and not opens_working and not _OPERATOR.match(text, first.end):
        return first
    return (following if text[position - 1] in _OPEN_MARKERS else within)[-1]


def _read(match: re.Match[str]) -> Extracted | None:
    """The number that `match` spells; None if it has no value or too many digits."""
    if match.end() - match.start() > _MOST_CHARACTERS:
        return None
    start = match.start()
    if match["plain"]:
        value = _fraction(match["plain"])
    elif match["vulgar"]:
        value = _fraction(match["whole"] or "0") + _vulgar(match["vulgar"])
    else:
        top = _fraction(match["top"] or match["latex_top"])
        bottom = _fraction(match["bottom"] or match["latex_bottom"])
        if bottom == 0:
            return None
        value = top / bottom
        before = match["whole"] or match["mixed"]
        if before and value < 1 and top.denominator == bottom.denominator == 1:
            value += _fraction(before)
        elif before:
            start = match.start("top" if match["top"] else "latex")
    negative = start == match.start() and (match["sign"] or match["inner_sign"])
    return Extracted(_shortest(-value if negative else value), start, match.end())


def _fraction(numeral: str) -> Fraction:
    return Fraction(_NOT_A_DIGIT.sub("", numeral.replace("\u2212", "-")))


def _vulgar(character: str) -> Fraction:
    return Fraction(unicodedata.numeric(character)).limit_denominator(10)


def _shortest(value: Fraction) -> str:
    """A decimal where it ends within twenty places, else a fraction in lowest terms."""
    scaled = value * 10**20
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    sign = "-" if value < 0 else ""
    digits = str(abs(scaled.numerator)).rjust(21, "0")
    return sign + f"{digits[:-20]}.{digits[-20:]}".rstrip("0").rstrip(".")
