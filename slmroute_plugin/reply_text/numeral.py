"""The numerals of a text, each read as a whole or not at all.

Scoring and the readers of stated confidences see numbers through `numerals`. It expects a text
as `unwrapped` leaves it, with ASCII digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from slmroute_plugin.reply_text.digit_groups import MOST_CHARACTERS
from slmroute_plugin.reply_text.numeral_grammar import VULGAR, unsigned_at

# Powers of ten.
MAGNITUDES = {
    "hundred": 2,
    "thousand": 3,
    "million": 6,
    "billion": 9,
    "trillion": 12,
    "lakh": 5,
    "crore": 7,
    "百": 2,
    "백": 2,
    "千": 3,
    "천": 3,
    "万": 4,
    "萬": 4,
    "만": 4,
    "亿": 8,
    "億": 8,
    "억": 8,
}
_LATIN = r"A-Za-z\u00c0-\u024f\u0370-\u03ff"
_CURRENCY = r"(?:\\?[$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd]\s?)"
_DASH = "[-\u2212\u2013\u2010\u2011\ufe63]"
_START = re.compile(rf"\\[dtc]?frac(?![a-zA-Z])|(?<![0-9.{_LATIN}])\.[0-9]|[0-9]|[{VULGAR}]")
_NAME = re.compile(rf"[{_LATIN}]")
_BRACED = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\}){0,200}\}"
# Numbers in these are parts of something else: roots, powers of letters, indices, binomials.
_WITHIN = re.compile(
    rf"(?:\\sqrt\s*(?:\[[^][{{}}]{{0,20}}\])?|\^|(?<=[0-9{_LATIN}}})\]])_|\\[dt]?binom\s*{_BRACED})"
    rf"\s*(?:{_BRACED}|\([^()]{{0,200}}\)|[-\u2212]?[0-9.{VULGAR}]+)"
    r"|\u221a\s*(?:\([^()]{0,200}\)|[0-9.,]+)|\bsqrt\s*\([^()]{0,200}\)"
)
_SIGN = re.compile(
    rf"""
    (?:
        (?P<attached>(?<![0-9_{_LATIN})\]}}%])(?<![0-9)\]}}%][ -]){_DASH})
      | (?:[=({{\[]\s?|\b(?:is|are|be|equals)\s)(?P<apart>{_DASH}\s)
      | (?P<negative>\bnegative\s+) | (?P<minus>\bminus\s+)
    ){_CURRENCY}?\Z
  | {_CURRENCY}(?P<inner>{_DASH})\Z
  | (?P<money>{_CURRENCY})\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
# "5 apples minus 3", "x minus 3"; but "after 5 days it is minus 3".
_SUBTRACTED_FROM = re.compile(
    r"(?:[0-9)\]}%]|\b[b-hj-z])"
    r"(?:\s(?!(?:is|was|be|equals?|gives?|to|or|and|answer)\b)[^\W\d_]+){0,3}\s*\Z",
    re.IGNORECASE,
)
_MONEY_MAGNITUDES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
_MONEY_MAGNITUDE = re.compile(r"[ ]?(k|m|bn?)\b", re.IGNORECASE)
_BEFORE = 40


class Numeral(NamedTuple):
    """A number that is written in digits.

    Attributes:
        start: The offset of its first character, a sign or currency included.
        end: The offset behind its last character; a percent sign or unit is not included.
        value: The number; None if these characters cannot be read as a whole.
        ratio: The numbers over and under a slash ("8/10"), where there is one.
        magnitude: The word behind it that multiplies it ("million", "万"), which `value` leaves
            out.
    """

    start: int
    end: int
    value: Fraction | None
    ratio: tuple[Fraction, Fraction] | None = None
    magnitude: str | None = None

    @property
    def multiplied(self) -> Fraction | None:
        """The number with its magnitude."""
        exponent = MAGNITUDES[self.magnitude] if self.magnitude else 0
        return None if self.value is None else self.value * 10**exponent


def numerals(text: str) -> list[Numeral]:
    r"""Return the numerals of a text in their order, those without a value included.

    Read are thousands separators of several styles, decimals, "1e3", "10^6", "1.2 × 10^6",
    "3/4", "1⁄2", "½", "\frac{-3}{2}", "3 1/2" (three and a half), "0.\overline{3}", "2 million",
    "-3", "–3", "minus 3", "7:00" (the hour) and currencies. What goes on from a numeral belongs
    to it: "4√2", "10:30", "1.2.3" and "2^n" have no value. Digits of a name ("x2"), an index, a
    power of a letter or a root are not numerals.

    >>> [str(numeral.value) for numeral in numerals("from 1,250.5 to 1.2 * 10^6")]
    ['2501/2', '1200000']
    """
    return list(_scan(text))


def whole_numeral(text: str) -> Fraction | None:
    """Return the number if the text is one numeral and nothing else, else None."""
    found = numerals(text)
    if len(found) != 1 or text[: found[0].start].strip() or text[found[0].end :].strip():
        return None
    return found[0].value


def _scan(text: str) -> Iterator[Numeral]:
    hidden = [match.span() for match in _WITHIN.finditer(text)]
    hidden.reverse()
    position = 0
    while start := _START.search(text, position):
        while hidden and hidden[-1][1] <= start.start():
            hidden.pop()
        is_part = bool(hidden) and hidden[-1][0] <= start.start()
        is_part = is_part or bool(_NAME.match(text[start.start() - 1 : start.start()]))
        for read in unsigned_at(text, start.start(), whole_numeral):
            position = read.end
            value = None if read.end - read.start > MOST_CHARACTERS else read.value
            if not is_part:
                yield _signed(text, Numeral(*read[:2], value, read.ratio, read.magnitude))


def _signed(text: str, numeral: Numeral) -> Numeral:
    offset = max(0, numeral.start - _BEFORE)
    before = text[offset : numeral.start]
    sign = _SIGN.search(before)
    if sign is None:
        return numeral
    start = sign.start()
    if sign["apart"]:
        start = sign.start("apart")
    elif sign["minus"] and _SUBTRACTED_FROM.search(before[:start]):
        return numeral
    value = numeral.value if sign["money"] or numeral.value is None else -numeral.value
    signed = numeral._replace(start=offset + start, value=value)
    return _with_money(text, signed) if re.search(_CURRENCY, sign.group()) else signed


def _with_money(text: str, amount: Numeral) -> Numeral:
    """Return an amount of money with its magnitude, as in "$5k"."""
    magnitude = _MONEY_MAGNITUDE.match(text, amount.end)
    if magnitude is None or amount.value is None:
        return amount
    return amount._replace(end=magnitude.end(), magnitude=_MONEY_MAGNITUDES[magnitude[1].lower()])
