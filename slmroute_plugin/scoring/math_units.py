r"""The units, currencies and percent signs around a mathematical expression."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNIT_NAMES = {
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "millimetre": "mm",
    "centimetre": "cm",
    "decimetre": "dm",
    "metre": "m",
    "kilometre": "km",
    "inch": "in",
    "inche": "in",
    "foot": "ft",
    "feet": "ft",
    "yard": "yd",
    "mile": "mi",
    "milligram": "mg",
    "gram": "g",
    "kilogram": "kg",
    "pound": "lb",
    "lbs": "lb",
    "ounce": "oz",
    "milliliter": "ml",
    "millilitre": "ml",
    "liter": "l",
    "litre": "l",
    "gallon": "gal",
    "second": "sec",
    "s": "sec",
    "minute": "min",
    "hour": "hr",
    "h": "hr",
    "day": "day",
    "cent": "cent",
    "dollar": "$",
    "degree": "deg",
}
_SHORT = (
    "mm|cm|dm|km|ft|yd|mi|mg|kg|lbs?|oz|ml|mL|gal|secs?|mins?|hrs?|mph|kph|kmh|km/h|m/s|sq|cu"
    "|degrees?|deg|rad|radians|cents?|dollars?|USD|units?"
)
COMMON_UNIT = re.compile(
    rf"\s*(?:(?:square|cubic|sq\.?|cu\.?)\s)?(?:{_SHORT}|{'|'.join(_UNIT_NAMES)})s?\b"
)
_POWER = r"(?:\s*\^\s*\{?\s*[0-9]\s*\}?|\s+(?:squared|cubed))?"
_PER = rf"(?:\s*(?:/|per)\s*(?:\\text\{{[^{{}}]*\}}|[A-Za-z]+){_POWER})?"
_UNIT = re.compile(
    r"(?P<before>[0-9.})\]!]|\\pi|\\circ)"
    r"(?P<unit>\s*\\(?:text[a-z]*|mbox|mathrm|hbox)\s*\{\s*(?P<text>[^{}]*?)\s*\}"
    rf"|\s*(?P<short>{_SHORT})(?![A-Za-z])"
    r"|\s+(?P<words>(?!(?:and|or|if|in|abc)\b)(?=[A-Za-z]*[aeiou])[A-Za-z]{3,}"
    r"(?:\s+[A-Za-z]{2,}){0,4})|\s*sq\.?\s*(?P<square>[a-z]+))"
    rf"{_POWER}{_PER}\s*\Z"
)
_DEGREE = re.compile(r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree)\s*(?:[CF]\b)?\s*\Z")
_PERCENT = re.compile(r"\s*(?:\\?%|\\?\bper\s?cent(?:age)?\b|\\text\s*\{\s*(?:percent|%|\\%)\s*\})")
_CURRENCY = re.compile(r"\\?[$\u20ac\u00a3\u00a5\u20b9]")
_NOT_A_UNIT = frozenset({"and", "or", "e", "i"})


class Measured(NamedTuple):
    """An expression and what it counts.

    Attributes:
        expression: The expression without its unit, currency and percent signs.
        unit: The canonical name of a common unit; None without a unit, or for another unit.
        is_percent: Whether percent signs stood in it.
    """

    expression: str
    unit: str | None
    is_percent: bool


def measured(latex: str) -> Measured:
    r"""Return an expression in LaTeX without its unit.

    A unit stands behind a number: in \text{} or the like, as a word after a space ("5 apples"), or
    as a common abbreviation ("5cm^2"). A single letter ("5m") may be a variable, and stays.
    """
    bare, percents = _PERCENT.subn("", _CURRENCY.sub("", latex).strip())
    bare = _DEGREE.sub("", bare)
    match = _UNIT.search(bare)
    if match is None or not re.search(r"[0-9]|\\pi", bare[: match.end("before")]):
        return Measured(bare.strip(), None, percents > 0)
    unit = next(filter(None, match.group("text", "short", "words", "square")), "").strip().lower()
    if unit in _NOT_A_UNIT:
        return Measured(bare.strip(), None, percents > 0)
    return Measured(bare[: match.end("before")].strip(), _canonical(unit), percents > 0)


def _canonical(unit: str) -> str | None:
    """Return the common short form of a unit, without its power; None if it is not a common one."""
    words = [word for word in re.findall(r"[a-z$]+", unit) if word not in ("square", "sq", "cubic")]
    if len(words) != 1:
        return None
    name = words[0] if words[0] in ("s", "lbs") else words[0].removesuffix("s")
    name = _UNIT_NAMES.get(words[0], _UNIT_NAMES.get(name, name))
    return name if name in _UNIT_NAMES.values() else None
