"""The digits of English number words."""

from __future__ import annotations

import re

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {
    **{word: value for value, word in enumerate([*_ONES, *_TEENS])},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}

_ONE = "|".join(_ONES)
_BELOW_HUNDRED = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[ \t-]+(?:{_ONE}))?|(?:{'|'.join([*_TEENS, *_ONES])}))"
)
_NUMBER = re.compile(
    rf"\b(?:(?:(?:a|{_ONE})[ \t]+)?hundred(?:[ \t]+(?:and[ \t]+)?{_BELOW_HUNDRED})?"
    rf"|{_BELOW_HUNDRED})(?:[ \t]+point(?P<decimals>(?:[ \t]+(?:{_ONE}))+))?\b"
)
_COUNTED = re.compile(r"\s*(?:%|out\s+of\b|in\s+(?:a|ten)\b)")


def as_digits(text: str) -> str:
    """Return `text`, which is in lower case, with its number words below a thousand as digits.

    The word "one" stays where it may be a pronoun: alone, and not before a percent sign,
    "out of", or "in ten".

    >>> as_digits("ninety-five %, nine out of ten, zero point eight, this one")
    '95 %, 9 out of 10, 0.8, this one'
    """
    return _NUMBER.sub(_digits, text)


def _digits(match: re.Match[str]) -> str:
    written = match.group()
    if written == "one" and not _is_count(match):
        return written
    total = 0
    for word in re.findall(r"[a-z]+", written.split("point")[0]):
        if word == "hundred":
            total = (total or 1) * 100
        else:
            total += _VALUES.get(word, 0)
    decimals = "".join(str(_VALUES[word]) for word in (match["decimals"] or "").split())
    return f"{total}.{decimals}" if decimals else str(total)


def _is_count(match: re.Match[str]) -> bool:
    stands_alone = not re.search(r"\w", match.string[: match.start()] + match.string[match.end() :])
    return stands_alone or _COUNTED.match(match.string, match.end()) is not None
