r"""The comparison of two mathematical answers, as far as nothing has to be computed."""

from __future__ import annotations

import re
from typing import NamedTuple

from slmroute_plugin.scoring.math_notation import as_latex
from slmroute_plugin.scoring.math_units import measured

_BASED = re.compile(
    r"(?P<digits>[A-F]*[0-9][0-9A-F]*(?:\.[0-9A-F]+)?)\s*"
    r"(?:_\s*\{?\s*(?:\\text\s*\{)?\s*(?P<index>[0-9]+|[a-z]+)[\s}]*"
    r"|,?\s*(?:\\text\s*\{)?\s*(?:in\s+)?\(?base\s*(?P<word>[0-9]+|[a-z]+)[\s})]*)"
)
_BASES = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "twelve": "12",
    "sixteen": "16",
}
_SIDES = re.compile(r"(?<![<>!\\])=")
_TEXT = re.compile(r"\\(?:text[a-z]*|mbox|hbox|mathrm|mathbf)\s*\{([^{}]*)\}")
# Four letters or more in a row are a word, not a product: "east" is not "seat".
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}(?![A-Za-z])")
# Metres, seconds, hours and the like; they might be variables, but not where a number is right.
_LETTER_UNIT = re.compile(r"(?<=[0-9}])\s+[msghlLNJWV]\Z")
_JOINED = re.compile(r"(?:\\text\s*\{)?\s*\b(?:and|or)\b\s*\}?", re.IGNORECASE)


class Comparison(NamedTuple):
    """A verdict on two answers, or what is left to be computed for it.

    Attributes:
        verdict: Whether the answers are equal, where that can be told already.
        pairs: The targets and answers to be compared as expressions, in LaTeX; one equal pair
            makes the answers equal.
    """

    verdict: bool | None
    pairs: tuple[tuple[str, str], ...] = ()


class _BasedNumber(NamedTuple):
    digits: str
    base: str | None


def comparison(target: str, answer: str) -> Comparison:
    r"""Return whether two answers are the same, or what has to be computed to tell.

    - Numbers with a base ("2516_8") are the same if their digits and bases are. An answer
      without one has the target's; a target without one has base ten.
    - Words ("\text{Evelyn}", "east") are compared as words, without case and brackets.
    - Percent signs may be left out on one side, where the hundredth is meant, or the number.
    - Of two common units that differ ("5 cm", "5 km") the answers differ.
    """
    if _squeezed(target) == _squeezed(answer):
        return Comparison(True)
    left, right = measured(as_latex(target)), measured(as_latex(answer))
    if left.unit and right.unit and left.unit != right.unit:
        return Comparison(False)
    based = [_based(latex) for latex in (left.expression, _SIDES.split(right.expression)[-1])]
    if any(number and number.base for number in based):
        return Comparison(_same_based(*based))
    words = [_words(latex) for latex in (left.expression, right.expression)]
    if any(words):
        target_words = words[0] or _letters(left.expression)
        answer_words = words[1] or _letters(right.expression)
        return Comparison(target_words == answer_words)
    pairs = [(left.expression, right.expression)]
    if not re.search(r"[A-Za-z]", left.expression):
        pairs.append((left.expression, _LETTER_UNIT.sub("", right.expression)))
    if left.is_percent != right.is_percent:
        hundredth = [
            rf"\frac{{{side.expression}}}{{100}}" if side.is_percent else side.expression
            for side in (left, right)
        ]
        pairs.append((hundredth[0], hundredth[1]))
    return Comparison(None, tuple(pairs))


def _squeezed(expression: str) -> str:
    return re.sub(r"\s+", "", expression)


def _based(latex: str) -> _BasedNumber | None:
    latex = latex.strip("() ")
    match = _BASED.fullmatch(latex)
    if match is None:
        plain = re.fullmatch(r"[0-9]+", latex)
        return _BasedNumber(latex.lstrip("0"), None) if plain else None
    base = match["index"] or match["word"]
    base = base if base.isdigit() else _BASES.get(base)
    return _BasedNumber(match["digits"].lstrip("0").lower(), base) if base else None


def _same_based(target: _BasedNumber | None, answer: _BasedNumber | None) -> bool:
    if target is None or answer is None or target.digits != answer.digits:
        return False
    return answer.base is None or answer.base == (target.base or "10")


def _words(latex: str) -> str | None:
    r"""Return the words that an expression consists of, None if it is mathematics."""
    text = _TEXT.sub(r" \1 ", _JOINED.sub(",", latex))
    has_text = text != _JOINED.sub(",", latex)
    outside = _TEXT.sub(" ", latex)
    if re.search(r"[0-9\\=+<>^]", text) or not (
        (has_text and not re.search(r"[A-Za-z]", outside)) or _WORD.search(text)
    ):
        return None
    return _letters(text)


def _letters(latex: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", _TEXT.sub(r" \1 ", latex).casefold()))
