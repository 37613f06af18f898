"""Reading the probability that a model states in words of its own.

A wrong number is worse than none: it ranks an answer where it does not belong, while a
null is counted and sent to the stronger model. So a number is taken only where the text
leaves no doubt that it is the probability, and what it is out of.
"""

from __future__ import annotations

import re
import unicodedata
from math import isinf
from typing import NamedTuple

from slmroute_plugin import NoConfidence
from uq_plugins.number_words import as_digits

_CHARACTERS = str.maketrans(
    {
        "٪": "%",
        "٫": ".",
        "\u2212": "-",
        "\u2010": "-",
        "\u2013": " - ",
        "\u2014": " - ",
        "\u2019": "'",
        "\u2044": "/",
        "*": None,
        "_": None,
        "`": None,
        "\\": None,
    }
)
_PERCENT = re.compile(r"\s*(?:per\s?cent\b|pct\b|%)")

_NUMBER = r"(?<!\w)(?<!\d[.,])(?<!e[-+])[-+]?(?:\d[\d.,]*\d|\d|\.\d+)(?!\w)(?![.,]\d)"
_EXPRESSION = re.compile(
    rf"(?P<ratio>{_NUMBER}%?(?:\s*(?:/|out\s+of)\s*{_NUMBER}%?)+"
    rf"|{_NUMBER}\s+(?:of|in)\s+(?:100?)\b(?![.,]?\d))"
    rf"|(?P<range>{_NUMBER}%?\s*(?:-|to|and|through)\s*{_NUMBER}%?)"
    rf"|(?P<percent>{_NUMBER}%)"
    rf"|(?P<bare>{_NUMBER})"
)
_READABLE = re.compile(r"[-+]?(?:\d+(?:[.,]\d+)?|\.\d+|[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?)")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_SCALE = re.compile(
    r"(?<![\w.,/-])[01](?:\.0+)?%?\s*(?:-|to|and|through)\s*(?P<to>10{0,2}|5)(?:\.0+)?%?"
    r"(?![\w/-]|[.,]\d)"
    r"|[\[(]\s*[01](?:\.0+)?\s*,\s*(?P<bracket>10{0,2}|5)(?:\.0+)?%?\s*[\])]"
    r"|\bscale\s+(?:out\s+)?of\s+(?P<of>100?|5)\b(?![.,]\d|\s*(?:-|to))"
    r"|\(\s*out\s+of\s+(?P<out_of>100?|5)\s*\)"
)
_FIFTY_FIFTY = re.compile(r"(?<![\d.,/-])50\s?[-/]\s?50(?![\d/%]|[.,-]\d)")
_RESTATED_ANSWER = re.compile(
    r"^\W*(?:(?:so|thus|therefore|the|my|final|correct)\W+)*answer\s*(?:is|was|:|=)\W*?"
    rf"(?P<number>{_NUMBER}%?(?:\s*/\s*{_NUMBER})?)"
)

_LABELLED = re.compile(
    r"\b(?:confidence|probability|likelihood|certainty)\b[^\n:=]{0,60}[:=]\W*[^\n]*"
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
    r"confiden|certain|\bsure|probab|likel|chance|correct|\bright\b|accura|\bscale\b"
)


class _Stated(NamedTuple):
    """A probability found in the text, or the reason why what was found is none."""

    value: float | None
    fault: str


def stated_confidence(text: str) -> float:
    """The one probability that `text` states, in [0, 1].

    Read as: "90%", "90 percent", "ninety-five percent" and "90٪" per hundred; "90/100",
    "8/10", "9 out of 10" and "8 in 10" as the fraction; "0.9", ".9" and "0,85" as they
    are; a bare number above 10 per hundred ("90" is 0.9, "100" is 1); a bare "1" as 1 and
    "0" as 0; "50/50" as the idiom for one half. Digits of every script count, markdown does
    not. A scale repeated from the prompt ("on a scale from 0 to 100", "(0-10)") is no
    statement, but says what a bare number is out of.

    After a label with a colon ("Confidence:"), the last one with a number, only the first
    line counts. Elsewhere a number must begin its line ("I'd say 0.75, since …") or, with a
    percent sign or out of 10 or 100, share it with a word of certainty ("it is 90% likely to
    be right"); "18 apples" and "the answer is 18" state nothing.

    Raises:
        NoConfidence: no number ("very confident", "NaN", "1e9"); several that differ, or a
            range, for a midpoint would be our number and not the model's ("0.9 0.8",
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
    """Lower case, ASCII digits and signs, no markdown, number words as digits."""
    text = unicodedata.normalize("NFKC", text.replace("…", " ")).translate(_CHARACTERS)
    text = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    text = _PERCENT.sub("%", text.lower())
    return _FIFTY_FIFTY.sub("50%", as_digits(text))


def _lines(plain: str) -> list[str]:
    labelled = [match.group() for match in _LABELLED.finditer(plain)]
    with_number = [statement for statement in labelled if re.search(r"\d", statement)]
    return [with_number[-1].replace("\n", " ")] if with_number else plain.splitlines()


def _stated_in(line: str) -> set[_Stated]:
    answer = _RESTATED_ANSWER.match(line)
    if answer:
        line = line[: answer.start("number")] + "answer" + line[answer.end("number") :]
    line, scale = _without_scale(line)
    found = list(_EXPRESSION.finditer(line))
    alone = len(found) == 1
    return {
        _Stated(None, "the reply may break off within a number")
        if _BREAKS_OFF.fullmatch(line, match.start())
        else _read(match, scale)
        for match in found
        if _is_statement(match, line, alone)
    }


def _without_scale(line: str) -> tuple[str, float | None]:
    """`line` with the word "scale" in place of each scale, and the upper end of the last."""
    upper = None
    for match in _SCALE.finditer(line):
        upper = float(next(end for end in match.groups() if end))
    return _SCALE.sub(" scale ", line), upper


def _is_statement(match: re.Match[str], line: str, alone: bool) -> bool:
    """Whether a number is given as the probability, and not in passing."""
    written = match.group()
    before, after = line[: match.start()], line[match.end() :]
    explicit = "%" in written or re.search(r"(?:/|out\s+of|of|in)\s*100?$", written)
    # Numbers before it may be the same one in another form: "0.9 (90%)".
    if explicit and (
        _ABOUT_CERTAINTY.search(line) or _LEAD_IN.fullmatch(_EXPRESSION.sub("", before))
    ):
        return True
    ends_here = _ENDS_HERE.match(after) and not _NUMBER_FOLLOWS.match(after)
    if _LEAD_IN.fullmatch(before):
        return bool(ends_here)
    return bool(alone and ends_here and _ABOUT_CERTAINTY.search(before))


def _read(match: re.Match[str], scale: float | None) -> _Stated:
    written, shown = match.group(), match.group()[:40]
    if match["range"]:
        return _Stated(None, f"{shown!r} is a range, not a number")
    numbers = re.findall(r"[-+]?[\d.,]*\d", written)
    if len(numbers) > 2 or not all(map(_READABLE.fullmatch, numbers)):
        return _Stated(None, f"{shown!r} cannot be read as a number")
    part = _value(numbers[0])
    if match["ratio"]:
        whole: float | None = _value(numbers[1])
    elif match["percent"]:
        whole = 100.0
    else:
        whole = scale or _implied_whole(part)
    if whole is None or (0 < part < 1 < whole and not match["percent"]):
        return _Stated(None, f"{shown!r} does not say what it is out of")
    if whole <= 0 or not 0 <= part <= whole or isinf(whole):
        return _Stated(None, f"{shown!r} is outside 0-100%")
    return _Stated(abs(part / whole), "")


def _value(number: str) -> float:
    if _GROUPED.fullmatch(number):
        return float(number.replace(",", ""))
    return float(number.replace(",", "."))


def _implied_whole(part: float) -> float | None:
    if part <= 1:
        return 1.0
    return 100.0 if part > 10 else None
