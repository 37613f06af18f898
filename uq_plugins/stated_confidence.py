"""The probability that a model states in words of its own.

A wrong number is worse than none: it ranks an answer where it does not belong, while a
null is counted and sent to the stronger model. So a number is taken only where the text
leaves no doubt that it is the probability, and what it is out of.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from slmroute_plugin import NoConfidence
from slmroute_plugin.reply_text import unwrapped
from uq_plugins.number_words import as_digits
from uq_plugins.stated_numbers import Expression, expressions

_CHARACTERS = str.maketrans({"\u066a": "%", "\u2019": "'", "*": None, "`": None})
_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_PERCENT = re.compile(r"\s*\\?(?:per\s?cent\b|pct\b|%)")

_SCALE = re.compile(
    r"(?<![\w.,/-])[01](?:\.0+)?%?\s*(?:[-\u2013\u2014]|to|and|through)\s*(?P<to>10{0,2}|5)(?:\.0+)?%?"
    r"(?![\w/-]|[.,]\d)"
    r"|[\[(]\s*[01](?:\.0+)?\s*,\s*(?P<bracket>10{0,2}|5)(?:\.0+)?%?\s*[\])]"
    r"|\bscale\s+(?:out\s+)?of\s+(?P<of>100?|5)\b(?![.,]\d|\s*(?:[-\u2013]|to))"
    r"|\(\s*out\s+of\s+(?P<out_of>100?|5)\s*\)"
)
_FIFTY_FIFTY = re.compile(r"(?<![\d.,/-])50\s?[-\u2013/\u2044]\s?50(?![\d/%]|[.,-]\d)")
_NUMBER = r"[-+]?(?:\d[\d.,]*\d|\d|\.\d+)(?!\w)"
_RESTATED_ANSWER = re.compile(
    r"^\W*(?:(?:so|thus|therefore|the|my|final|correct)\W+)*answer\s*(?:is|was|:|=)\W*?"
    rf"(?P<number>{_NUMBER}%?(?:\s*/\s*{_NUMBER})?)"
)

_LABELS = "置信度|信心|把握|概率|機率|可能性|確信度|確率|자신감|신뢰도|확률"
_LABELLED = re.compile(
    rf"(?:\b(?:confidence|probability|likelihood|certainty)\b|{_LABELS})[^\n:=]{{0,60}}[:=]\W*[^\n]*"
)
_LEAD_WORDS = (
    "i|i'd|i'm|am|would|say|give|estimate|put|it|its|it's|this|my|the|a|an|of|is|be|at|to|on|"
    "between|from|somewhere|least|over|about|around|approximately|approx|roughly|nearly|almost|"
    "maybe|perhaps|likely|confidence|probability|likelihood|certainty|percentage|level|score|"
    "scale|boxed"
)
_LEAD_IN = re.compile(rf"\W*(?:(?:{_LEAD_WORDS})\b\W*)*")
_ENDS_HERE = re.compile(
    r"\s*(?:$|[^\w\s]|(?:since|because|as|sure|confident|certain|likely|probability|confidence|"
    r"chance|on\s+an?\s+scale)\b)"
)
_NUMBER_FOLLOWS = re.compile(r"\W*\d")
# "0." may be the beginning of any probability where the reply met its limit.
_BREAKS_OFF = re.compile(r"[-+]?0[.,]\s*")
_ABOUT_CERTAINTY = re.compile(
    rf"{_LABELS}|confiden|certain|\bsure|probab|likel|chance|correct|\bright\b|accura|\bscale\b"
)


# What makes a share one of something else: "90% of the students", "the 95% confidence interval",
# "30% chance of rain", "20% discount".
_ABOUT_ELSE = re.compile(
    r"\s*(?:of\s+(?!(?:the\s+)?(?:time|cases)\b|my\b|being\b|certainty|confidence|probability|100)"
    r"|(?:confidence|credible|prediction)\s+(?:interval|band|region|limit|bound|set|range)|ci\b"
    r"|(?:chance|probability|likelihood)\s+of\s+(?!(?:(?:the|my|this|that|it|its)\s+)*"
    r"(?:answer|being|response|solution|correct|it|this|that|me|success)))"
)
_MAY_FOLLOW = re.compile(
    r"\s*(?:$|[^\w\s]|\d|(?:of|since|because|as|sure|confiden\w*|certain\w*|(?:un)?likel\w*|prob\w+"
    r"|chances?|correct\w*|right|accura\w+|true|positive|that|if|is|was|for|in|on|to|and|or|but|so"
    r"|with|given|based|it|i|my|this|the|at|by|when|which|while|though|although|would|being|out"
    r"|level)\b)"
)
# A number in what somebody is sure of: "I am confident that 90% passed".
_SURE_THAT = re.compile(
    r"\b(?:confident|sure|certain|convinced|believe|think|know|doubt)\b(?:\s+\w+)?\s+that\b"
    r"(?![^.,;:]*\b(?:probability|confidence|likelihood|chance|certainty))[^.,;:]*$"
)
_OF_CERTAINTY = re.compile(
    r"\s*(?:sure|confiden|certain|likel|prob|chance|correct|right|accura|true\b)"
)
_MOST = 10**300


class _Stated(NamedTuple):
    """A probability that the text states, or the reason why its number is not one."""

    value: float | None
    fault: str


def stated_confidence(text: str) -> float:
    """Return the one probability that `text` states, in [0, 1].

    Numerals are read as in scoring, see `slmroute_plugin.reply_text`; tags, control tokens and
    emoji do not count.

    Read as: "90%", "90 percent", "ninety-five percent" and "90٪" per hundred; "90/100",
    "8/10", "9 out of 10" and "8 in 10" as the fraction; "0.9", ".9" and "0,85" as they
    are; a bare number above 10 per hundred ("90" is 0.9, "100" is 1); a bare "1" as 1 and
    "0" as 0; "50/50" as the idiom for one half. Digits of every script count, markdown does
    not. A scale repeated from the prompt ("on a scale from 0 to 100", "(0-10)") is not a
    statement, but says what a bare number is out of.

    After a label with a colon ("Confidence:"), the last one with a number, only the first
    line counts. Elsewhere a number must begin its line ("I'd say 0.75, since …") or, with a
    percent sign or out of 10 or 100, share it with a word of certainty ("it is 90% likely to
    be right"); "18 apples" and "the answer is 18" state nothing. Neither does a share of
    something else: "90% of the students", "the 95% confidence interval", "I am sure that 90%
    passed".

    Raises:
        NoConfidence: If there is no number ("very confident", "NaN", "1e9"); several that differ,
            or a range, for a midpoint would be our number and not the model's ("0.9 0.8",
            "between 70 and 80%"); a bare number above 1 and up to 10 ("3" may be 3% or 3 out
            of 5), or a fraction below 1 on a larger scale; outside 0-100% ("-5", "150%"); a
            last "0.", whose decimals a limit may have cut off.
    """
    plain = _plain(text)
    stated: set[_Stated] = set()
    for line in _lines(plain):
        stated |= _stated_in(line)
    if not stated:
        raise NoConfidence(_nothing_stated(plain))
    if len(stated) > 1:
        raise NoConfidence("the reply states several numbers that differ")
    value, fault = stated.pop()
    if value is None:
        raise NoConfidence(fault)
    return value


def _nothing_stated(plain: str) -> str:
    if not plain.strip():
        return "the reply is empty"
    if re.search(r"\d", plain):
        return "no number in the reply is clearly the probability"
    return "the reply holds no number"


def _plain(text: str) -> str:
    """Return the text in lower case, with ASCII digits, number words as digits, and no markdown."""
    plain = unwrapped(text, answer_alone=False).text.translate(_CHARACTERS)
    plain = _PERCENT.sub("%", _UNDERSCORE.sub("", plain).lower())
    return _FIFTY_FIFTY.sub("50%", as_digits(plain))


def _lines(plain: str) -> list[str]:
    labelled = [match.group() for match in _LABELLED.finditer(plain)]
    with_number = [statement for statement in labelled if re.search(r"\d", statement)]
    return [with_number[-1].replace("\n", " ")] if with_number else plain.splitlines()


def _stated_in(line: str) -> set[_Stated]:
    answer = _RESTATED_ANSWER.match(line)
    if answer:
        line = line[: answer.start("number")] + "answer" + line[answer.end("number") :]
    line, scale = _without_scale(line)
    numbers = expressions(line)
    return {
        _Stated(None, "the reply may break off within a number")
        if _BREAKS_OFF.fullmatch(line, number.start)
        else _read(number, line, scale)
        for number in numbers
        if _is_statement(number, line, numbers)
    }


def _without_scale(line: str) -> tuple[str, int | None]:
    """Return `line` with the word "scale" for each scale, and the upper end of the last scale."""
    upper = None
    for match in _SCALE.finditer(line):
        upper = int(next(end for end in match.groups() if end))
    return _SCALE.sub(" scale ", line), upper


def _is_statement(number: Expression, line: str, numbers: list[Expression]) -> bool:
    """Return whether a number is given as the probability, and not in passing."""
    before, after = line[: number.start], line[number.end :]
    if _ABOUT_ELSE.match(after):
        return False
    if number.is_explicit and _MAY_FOLLOW.match(after):
        if _SURE_THAT.search(before) and not _OF_CERTAINTY.match(after):
            return False
        # Numbers before it may be the same one in another form: "0.9 (90%)".
        words = "".join(_between(before, numbers))
        if _ABOUT_CERTAINTY.search(line) or _LEAD_IN.fullmatch(words):
            return True
    ends_here = _ENDS_HERE.match(after) and not _NUMBER_FOLLOWS.match(after)
    if _LEAD_IN.fullmatch(before):
        return bool(ends_here)
    alone = len(numbers) == 1
    return bool(alone and ends_here and _ABOUT_CERTAINTY.search(before))


def _between(before: str, numbers: list[Expression]) -> list[str]:
    """Return the pieces of a text that stand between its numbers."""
    ends = [0, *(number.end for number in numbers)]
    starts = [*(number.start for number in numbers), len(before)]
    return [before[end:start] for end, start in zip(ends, starts, strict=True)]


def _read(number: Expression, line: str, scale: int | None) -> _Stated:
    shown = line[number.start : number.end][:40]
    if number.kind == "range":
        return _Stated(None, f"{shown!r} is a range, not a number")
    part = number.part
    if part is None or (number.kind == "ratio" and number.whole is None):
        return _Stated(None, f"{shown!r} cannot be read as a number")
    whole = _whole(number, part, scale)
    if whole is None or (0 < part < 1 < whole and number.kind != "percent"):
        return _Stated(None, f"{shown!r} does not say what it is out of")
    if whole <= 0 or not 0 <= part <= whole or whole > _MOST:
        return _Stated(None, f"{shown!r} is outside 0-100%")
    return _Stated(float(part / whole), "")


def _whole(number: Expression, part: Fraction, scale: int | None) -> Fraction | None:
    """Return what a number is out of; None if it may be out of several things."""
    if number.kind == "ratio":
        return number.whole
    if number.kind == "percent":
        return Fraction(100)
    if scale is not None:
        return Fraction(scale)
    if part <= 1:
        return Fraction(1)
    return Fraction(100) if part > 10 else None
