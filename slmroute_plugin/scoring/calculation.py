"""The result of a calculation that a reply writes where its answer should stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmroute_plugin.reply_text.numeral import Numeral

_SIGN = r"(?:\*\*|[-+*/^=x\u2212\u2013\u00d7\u00f7\u00b7\u22c5\u2219]|\\times|\\div|\\cdot)"
_WORD = (
    r"\b(?:plus|minus|times|less|over|(?:divided|multiplied)\s+by|added\s+to|subtracted\s+from)\b"
)
_CLAUSE = (
    r"(?:because|since|as|so|where|when|while|if|which|that|who|and|or|but|for|in|with|from|at|is"
    r"|are|was|were|plus|minus|times|less|over|divided|multiplied|added|subtracted|of)\b"
)
_OPENING = r"\s*[$(\\{]{0,3}[0-9.]"
_BEHIND = r"(?:\s?\\?%)?[\s_)}\]*$]{0,4}"
_DIRECTLY = re.compile(
    rf"(?:\*\*|[^\S\n]|[_)}}$%\\]){{0,4}}(?:{_SIGN}|{_WORD}){_OPENING}"
    rf"|\([0-9][^()\n]{{0,60}}\)\s*{_SIGN}"  # 2(3 + 4) = 14
)
_AFTER_UNITS = re.compile(
    rf"{_BEHIND}(?:\s?(?!{_CLAUSE})[^\W\d_]+){{0,3}}\s?(?:{_SIGN}|{_WORD}|\bof\b){_OPENING}"
)
_EQUALS = re.compile(
    r"=|\u2248|\\approx|\u7b49\u4e8e|\b(?:equals?|gives|makes|totals|comes\s+to)\b"
    r"|\bwhich\s+(?:is|was|leaves|means)\b"
)
_BY_THE_WAY = re.compile(
    r"\b(?:in|for|over|after|per|from|on|at|during|within|every|by|of|with|among)\s+\Z"
)


def outcome(text: str, numbers: Sequence[Numeral], end: int) -> Numeral | None:
    """Return the number that a calculation from the first number on comes out at.

    "5 apples + 3 apples = 8 apples", "20% of 40 = 8" and "16 divided by 2, which is 8" give 8.
    Without a result ("5 + 3") it is the last number.

    Args:
        text: The reply.
        numbers: The numbers of the sentence, in order.
        end: The offset at which the sentence ends.

    Returns:
        None if no calculation begins with the first number.
    """
    first = numbers[0]
    if _DIRECTLY.match(text, first.end, end):
        return _result(text, numbers, first.end, end) or numbers[-1]
    if _AFTER_UNITS.match(text, first.end, end):
        return _result(text, numbers, first.end, end)
    return None


def mentioned_outcome(text: str, numbers: Sequence[Numeral], end: int) -> Numeral | None:
    """Return what a calculation inside a sentence comes out at, if the sentence ends with that.

    It does if later numbers are said by the way: "he makes 2 * 5 = 10 dollars in 3 days".
    """
    begins = next((n for n in numbers if _DIRECTLY.match(text, n.end, end)), None)
    result = _result(text, numbers, begins.end, end) if begins else None
    if result is None:
        return None
    later = [number for number in numbers if number.start >= result.end]
    by_the_way = all(_BY_THE_WAY.search(text[result.end : number.start]) for number in later)
    return result if by_the_way else None


def _result(text: str, numbers: Sequence[Numeral], start: int, end: int) -> Numeral | None:
    """Return the first number behind the last equals sign, or a word for it."""
    for equals in reversed(list(_EQUALS.finditer(text, start, end))):
        result = next((number for number in numbers if number.start >= equals.end()), None)
        if result and not _DIRECTLY.match(text, result.end, end):
            return result
    return None
