"""The rule for answers that are numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.reply_text.numeral import Numeral, numerals
from slmroute_plugin.reply_text.wrapping import unwrapped
from slmroute_plugin.scoring.calculation import mentioned_outcome, outcome
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule

_CLOSED = re.compile(r"[\s*_)$%]{0,4}(?:[,;(]|\.(?=\s|\Z)|\n|\Z)")
_CONTENT = re.compile(r"[^\W_]")
_DENIED = re.compile(r"(?:\bnot|n['\u2019]t)\s+[$\\(]{0,3}\Z", re.IGNORECASE)
_BEFORE = 12
_OPEN_MARKERS = ":=\n"


class NumberRule(Rule):
    """A rule that reads the final number, in its shortest exact form.

    The form is "1234.5", "-3", "1/3" or "2 million".

    After the last final marker, the number with which the statement begins, unless a calculation
    goes on from there ("the answer is 5 + 3 = 8"): then what comes out of it; else the last number
    of the sentence. What follows a colon ("Answer: 2 pens cost 3 * 2 = 6. So…") is often the
    working: there the number must stand by itself or be the sentence's only one, else the last of
    all that follows counts. Earlier markers serve where that one has no number. Without a marker,
    the last number of the text.

    `numerals` says how numbers are written. Percent signs and units are dropped ("50%" is 50).
    Numerals only, not words, and none that is denied ("18, not 20"). An announced numeral that
    cannot be read as a whole is not a number, and none is taken in its place.
    """

    name: ClassVar[str] = "number"
    kind: ClassVar[AnswerKind] = "free"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the final number in its shortest exact form."""
        numbers = [number for number in numerals(text) if not _is_denied(text, number)]
        for position in marker_ends(text):
            announced = _after_marker(text, position, numbers)
            if announced:
                return _extracted(announced)
        readable = [number for number in numbers if number.value is not None]
        return _extracted(readable[-1]) if readable else None

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the number equals a target exactly; targets may carry currency and commas.

        There is no tolerance: "0.33" is not 1/3, and a data set that accepts it lists it. "2
        million" is both 2000000 and 2: data sets leave the word to the question at times.
        """
        number = self._number(answer)
        targets = map(self._number, reference.targets)
        return number is not None and any(target and _same(target, number) for target in targets)

    def _number(self, text: str) -> Numeral | None:
        plain = unwrapped(text).text
        answer = self.find(plain, Reference(()))
        return answer and next(
            (number for number in numerals(plain) if number.start == answer.start), None
        )


def _is_denied(text: str, number: Numeral) -> bool:
    return bool(_DENIED.search(text[max(0, number.start - _BEFORE) : number.start]))


def _same(target: Numeral, answer: Numeral) -> bool:
    if target.magnitude and answer.magnitude:
        return target.multiplied == answer.multiplied
    return target.value in (answer.value, answer.multiplied) or target.multiplied == answer.value


def _after_marker(text: str, position: int, numbers: list[Numeral]) -> Numeral | None:
    """Return the number that a marker announces; one without a value if it cannot be read."""
    end = sentence_end(text, position)
    following = [number for number in numbers if number.start >= position]
    within = [number for number in following if number.start < end]
    if not within:
        return None
    first = within[0]
    is_working = text[position - 1] in _OPEN_MARKERS and not (
        len(within) == 1 or _CLOSED.match(text, first.end)
    )
    heads_statement = skip_lead_in(text, position) >= first.start
    if heads_statement and not is_working:
        return outcome(text, within, end) or first
    if text[position - 1] in _OPEN_MARKERS and _CONTENT.search(text, end):
        return following[-1]
    calculation = outcome if heads_statement else mentioned_outcome
    return calculation(text, within, end) or within[-1]


def _extracted(number: Numeral) -> Extracted | None:
    if number.value is None:
        return None
    value = _shortest(number.value) + (f" {number.magnitude}" if number.magnitude else "")
    return Extracted(value, number.start, number.end)


def _shortest(value: Fraction) -> str:
    """Return a decimal where it ends within twenty places, else a fraction in lowest terms."""
    scaled = value * 10**20
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    sign = "-" if value < 0 else ""
    digits = str(abs(scaled.numerator)).rjust(21, "0")
    return sign + f"{digits[:-20]}.{digits[-20:]}".rstrip("0").rstrip(".")
