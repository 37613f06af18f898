"""The grammar of numerals without their signs, read from first character to last."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from slmroute_plugin.reply_text.digit_groups import DIGIT_GROUPS, MOST_CHARACTERS, read_groups

VULGAR = "\u00bc-\u00be\u2150-\u215e\u2189"
_INTEGER = r"[-+\u2212]?[0-9]+"
_SLASH_SIGN = r"[/\u2044\u2215]"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺\u2212", "0123456789-+-")

_GROUPS = re.compile(DIGIT_GROUPS)
# Brackets, but not the braces of a command such as \boxed{3,5}.
_OPENS_PAIR = re.compile(r"(?:[(\[]|(?<![A-Za-z}])\{)\Z")
_CLOSES_PAIR = re.compile(r"\\?[)\]}]")
_DIGITS = re.compile(r"[0-9]+")
_FRACTION = re.compile(rf"\\[dtc]?frac(?![a-zA-Z])|[{VULGAR}]")
_OTHER_BASE = re.compile(r"0[xXbBoO][0-9A-Fa-f]+\b")
_REPEATING = re.compile(
    r"(?P<whole>[0-9]*)\.(?P<fixed>[0-9]*)"
    r"(?:\\(?:overline|bar|dot)\s*\{?(?P<cycle>[0-9]+)\}?|\((?P<round>[0-9]+)\)(?!\w))"
)
_EXPONENT = re.compile(r"[eE]([-+\u2212]?[0-9]{1,4})(?!\w)")
_POWER = re.compile(
    rf"(?:\s?\^\s?|\*\*|\s\*\*\s)(?:\{{\s*({_INTEGER})\s*\}}|\(({_INTEGER})\)|({_INTEGER}))"
    r"(?!\.?[0-9])|([⁻⁺]?[⁰¹²³⁴-⁹]+)"
)
_TIMES_TEN = re.compile(r"\s*(?:\\times|\\cdot|[\u00d7\u00b7\u22c5\u2219*xX])\s*10")
_SLASH = re.compile(
    rf"\s?{_SLASH_SIGN}\s?"
    r"(?P<bottom>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:\.[0-9]+)?)"
)
_GAP = re.compile(r"[ ]and[ ]|[ \u00a0\u2009\u202f]|\\[ ,]|")
_FRACTION_COMMAND = re.compile(r"\\[dtc]?frac(?![a-zA-Z])")
_ARGUMENT = re.compile(r"\s*(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\}){0,200})\}|([0-9]))")
_FULL_HOUR = re.compile(rf":00(?![0-9:{VULGAR}]|[./^_'][0-9])")
_MAGNITUDE = re.compile(
    r"[ \u00a0-]?(?:(?P<word>hundred|thousand|million|billion|trillion|lakh|crore)s?\b"
    r"|(?P<sign>百(?!分)|백|千(?![克米瓦卡伏赫帕焦])|천|[万萬만亿億억])(?P<more>[ ]?[0-9][^\s]*)?)",
    re.IGNORECASE,
)
# What makes something else of the number before it: 4√2, 3π, 10:30, 2516_9, 2^n, 1.2.3. Degrees
# and ordinals ("90^\circ", "5^{th}") do not.
_GOES_ON = re.compile(
    r"[ ]?(?:\\sqrt|\u221a|\\pi\b|\u03c0|sqrt\s*\(|pi\b|\\over\b\s*[0-9]*)"
    r"|_\{?\w+\}?"
    r"|[ ]?\^(?!\s?\{?\s?(?:\\circ|\\text|\\mathrm|\\prime|\u00b0|o\b|th\b|st\b|nd\b|rd\b))"
    rf"|(?:\s?{_SLASH_SIGN}\s?\.?[0-9{VULGAR}][0-9.]*)+"
    rf"|(?:(?:\.|[:'\u2019]\.?)[0-9{VULGAR}]+)+"
    rf"|[0-9⁰¹²³⁴-⁹{VULGAR}]+"
)
_MOST_DIGITS = 1000


class Unsigned(NamedTuple):
    """A numeral without its sign.

    Attributes:
        start: The offset of its first character.
        end: The offset behind its last character.
        value: The number; None if these characters cannot be read as a whole.
        ratio: The numbers over and under its slash, where there is one.
        magnitude: The word behind it that multiplies it ("million").
    """

    start: int
    end: int
    value: Fraction | None
    ratio: tuple[Fraction, Fraction] | None = None
    magnitude: str | None = None


def unsigned_at(text: str, start: int, whole: Callable[[str], Fraction | None]) -> list[Unsigned]:
    """Return the numeral that begins at `start`, or the numerals of a list such as "1,2,3".

    Args:
        text: The text that holds it.
        start: The offset of a digit, a decimal point, a vulgar fraction or a LaTeX fraction.
        whole: The function that reads an argument of a LaTeX fraction as one numeral.
    """
    if other := _OTHER_BASE.match(text, start):
        return [Unsigned(start, other.end(), None)]
    if repeating := _REPEATING.match(text, start):
        return [Unsigned(start, repeating.end(), _repeating(repeating))]
    groups = _GROUPS.match(text, start)
    if groups is None:
        return [_carried_on(text, _fraction_sign(text, start, whole))]
    is_pair = _OPENS_PAIR.search(text, max(0, start - 2), start) and _CLOSES_PAIR.match(
        text, groups.end()
    )
    items = read_groups(groups.group(), listed=bool(is_pair or _SLASH.match(text, groups.end())))
    if items is None:
        return [_carried_on(text, Unsigned(start, groups.end(), None))]
    read = [Unsigned(start + item.start, start + item.end, item.value) for item in items]
    last = _with_fraction(text, _with_power(text, read[-1]), whole)
    return [*read[:-1], _carried_on(text, last)]


def _with_power(text: str, base: Unsigned) -> Unsigned:
    if exponent := _EXPONENT.match(text, base.end):
        return _times_power(base, Fraction(10), exponent)
    if power := _POWER.match(text, base.end):
        return base._replace(end=power.end(), value=_power(base.value, power))
    ten = _TIMES_TEN.match(text, base.end)
    power = _POWER.match(text, ten.end()) if ten else None
    return _times_power(base, Fraction(10), power) if power else base


def _times_power(base: Unsigned, ten: Fraction, power: re.Match[str]) -> Unsigned:
    factor = _power(ten, power)
    value = None if base.value is None or factor is None else base.value * factor
    return base._replace(end=power.end(), value=value)


def _power(base: Fraction | None, power: re.Match[str]) -> Fraction | None:
    exponent = next(group for group in power.groups() if group).translate(_SUPERSCRIPTS)
    if base is None or len(exponent) > 5:
        return None
    digits = len(str(base.numerator)) + len(str(base.denominator))
    if digits * abs(int(exponent)) > _MOST_DIGITS or (base == 0 and int(exponent) < 0):
        return None
    return Fraction(base ** int(exponent))


def _with_fraction(text: str, top: Unsigned, whole: Callable[[str], Fraction | None]) -> Unsigned:
    """Return the numeral with what is under its slash, or with the fraction after it."""
    if slash := _SLASH.match(text, top.end):
        return _over(text, top, slash)
    if top.value is None or top.value.denominator != 1:
        return top
    gap = _GAP.match(text, top.end)
    at = gap.end() if gap else top.end
    if _FRACTION.match(text, at):
        fraction = _fraction_sign(text, at, whole)
    elif (
        at > top.end
        and (over := _DIGITS.match(text, at))
        and (slash := _SLASH.match(text, over.end()))
    ):
        fraction = _over(text, Unsigned(at, over.end(), _fraction(over.group())), slash)
        if not _is_proper(fraction):
            return top
    else:
        return top
    if _is_proper(fraction) and fraction.value is not None:
        return top._replace(end=fraction.end, value=top.value + fraction.value)
    return top._replace(end=fraction.end, value=None) if at == top.end else top


def _is_proper(fraction: Unsigned) -> bool:
    return fraction.value is not None and 0 < fraction.value < 1


def _over(text: str, top: Unsigned, slash: re.Match[str]) -> Unsigned:
    bottom = Unsigned(slash.start("bottom"), slash.end(), _fraction(slash["bottom"]))
    if power := _POWER.match(text, bottom.end):
        bottom = bottom._replace(end=power.end(), value=_power(bottom.value, power))
    if top.value is None or not bottom.value:
        ratio = None if top.value is None or bottom.value is None else (top.value, bottom.value)
        return Unsigned(top.start, bottom.end, None, ratio)
    return Unsigned(top.start, bottom.end, top.value / bottom.value, (top.value, bottom.value))


def _fraction_sign(text: str, start: int, whole: Callable[[str], Fraction | None]) -> Unsigned:
    r"""Return the numeral that "½" or "\frac" begins; a cut-off "\frac" takes its line with it."""
    if text[start] != "\\":
        value = Fraction(unicodedata.numeric(text[start])).limit_denominator(10)
        return Unsigned(start, start + 1, value)
    command = _FRACTION_COMMAND.match(text, start)
    top = _ARGUMENT.match(text, command.end()) if command else None
    bottom = _ARGUMENT.match(text, top.end()) if top else None
    if top is None or bottom is None:
        line_end = text.find("\n", start)
        return Unsigned(start, len(text) if line_end < 0 else line_end, None)
    above, below = (whole(argument[1] or argument[2] or "") for argument in (top, bottom))
    return Unsigned(start, bottom.end(), above / below if above is not None and below else None)


def _carried_on(text: str, numeral: Unsigned) -> Unsigned:
    """Return the numeral with a magnitude behind it, or without a value if it goes on otherwise."""
    if magnitude := _MAGNITUDE.match(text, numeral.end):
        word = (magnitude["word"] or magnitude["sign"]).lower()
        value = None if magnitude["more"] else numeral.value
        return numeral._replace(end=magnitude.end(), value=value, magnitude=word)
    if hour := _FULL_HOUR.match(text, numeral.end):
        return numeral._replace(end=hour.end())
    while goes_on := _GOES_ON.match(text, numeral.end):
        numeral = numeral._replace(end=goes_on.end(), value=None, ratio=None)
    return numeral


def _fraction(digits: str) -> Fraction | None:
    return Fraction(digits.replace(",", "")) if len(digits) <= MOST_CHARACTERS else None


def _repeating(match: re.Match[str]) -> Fraction | None:
    whole, fixed, cycle = match["whole"], match["fixed"], match["cycle"] or match["round"]
    if len(match.group()) > MOST_CHARACTERS:
        return None
    without_end = int((whole + fixed + cycle) or 0) - int((whole + fixed) or 0)
    return Fraction(without_end, 10 ** len(fixed) * (10 ** len(cycle) - 1))
