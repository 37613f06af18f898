"""The places where a reply names an option by its text instead of its letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from slmroute_plugin.reply_text.characters import UNSPACED

_TOKEN = re.compile(r"[-\u2212]?[0-9][0-9,]*(?:[./:][0-9]+)*%?|[^\W_]+")
_REFUTED_BEFORE = re.compile(
    r"(?:(?:\bnot|n['\u2019]t|\bneither|\bnor|\bnever|\bthan|\bexcept|\bне|\bليس)\s+"
    r"|(?:不是|并非|並非|不选|不選|不应选|而非)\s*)(?:(?:the|an?|be)\s+)?[\W_]{0,4}\Z",
    re.IGNORECASE,
)
# Before and behind a number that is calculated with: "4 + 4 = 8" comes out at 8.
_NOT_OPERAND_BEFORE = (
    r"(?<![0-9)][ ][-+*/x\u2212\u2013\u00d7\u00f7\u00b7][ ])"
    r"(?<![0-9)][ ][-+*/x\u2212\u2013\u00d7\u00f7\u00b7][ ]\$)"
    r"(?<![0-9)][+*\u00d7\u00f7\u00b7])(?<!\\times[ ])(?<!\\cdot[ ])(?<!\\div[ ])"
)
_NOT_OPERAND_BEHIND = (
    r"(?![ ]?(?:[-+*/^x\u2212\u2013\u00d7\u00f7\u00b7]|\\times|\\cdot|\\div)[ ]?[$(\\]?[0-9])"
)
_UNSPACED = re.compile(UNSPACED)
_NEGATION_WINDOW = 24


class Mention(NamedTuple):
    """An option that is named by its text.

    Attributes:
        option: The option's index, from 0.
        start: The offset at which the text that names it begins.
        end: The offset at which that text ends.
    """

    option: int
    start: int
    end: int


def mentions(
    text: str, options: Sequence[str], start: int = 0, end: int | None = None
) -> list[Mention]:
    """Return the options named in `text[start:end]`, in the order of the text.

    Case, punctuation and the white space between words do not count; signs, decimals and
    fractions do ("5" is not named by "-5" or "1.5"), nor by what is calculated with ("5 + 3 = 8").
    A mention inside a longer one is dropped, and so is one that is denied ("not Paris"). Options
    that cannot be told apart are all returned.
    """
    every = [
        Mention(index, match.start(), match.end())
        for index, option in enumerate(options)
        for match in _pattern(option).finditer(text, start, len(text) if end is None else end)
    ]
    affirmed = [mention for mention in every if not refuted_before(text, mention.start)]
    affirmed.sort(key=lambda mention: (mention.start, -mention.end))
    outermost: list[Mention] = []
    for mention in affirmed:
        if not outermost or mention.end > outermost[-1].end or mention[1:] == outermost[-1][1:]:
            outermost.append(mention)
    return _literal_first(text, options, outermost)


def mention_at(text: str, position: int, options: Sequence[str]) -> Mention | None:
    """Return the longest option text that begins at `position`; None without any, or in a tie."""
    here = [
        Mention(index, match.start(), match.end())
        for index, option in enumerate(options)
        if (match := _pattern(option).match(text, position))
    ]
    longest = [mention for mention in here if mention.end == max(other.end for other in here)]
    longest = _literal_first(text, options, longest)
    return longest[0] if len(longest) == 1 else None


def refuted_before(text: str, position: int) -> bool:
    """Return whether what stands before `position` denies what stands there ("not", "isn't")."""
    return bool(_REFUTED_BEFORE.search(text[max(0, position - _NEGATION_WINDOW) : position]))


def _literal_first(text: str, options: Sequence[str], named: list[Mention]) -> list[Mention]:
    """Keep, of options that share a span ("n" and "n!"), the one whose punctuation matches too."""
    by_span: dict[tuple[int, int], list[Mention]] = {}
    for mention in named:
        by_span.setdefault((mention.start, mention.end), []).append(mention)
    kept: list[Mention] = []
    for rivals in by_span.values():
        literal = [
            mention for mention in rivals if _is_literal(text, options[mention.option], mention)
        ]
        longest = max((len(options[mention.option].strip()) for mention in literal), default=0)
        kept += [
            mention for mention in literal if len(options[mention.option].strip()) == longest
        ] or rivals
    return kept


def _is_literal(text: str, option: str, mention: Mention) -> bool:
    option = option.strip()
    token = _TOKEN.search(option)
    start = mention.start - (token.start() if token else 0)
    return start >= 0 and text[start : start + len(option)].casefold() == option.casefold()


@lru_cache(maxsize=256)
def _pattern(option: str) -> re.Pattern[str]:
    tokens = _TOKEN.findall(option)
    if not tokens:
        literal = re.escape(option.strip())
        body = rf"(?<!\S){literal}(?![^\s.,;!?)\"'*])" if literal else r"(?!)"
        return re.compile(body)
    body = _token_pattern(tokens[0])
    for before, token in pairwise(tokens):
        apart = "{1,16}" if before[-1].isdigit() and token[0].isdigit() else "{0,16}"
        body += rf"[\W_]{apart}{_token_pattern(token)}"
    return re.compile(_left_edge(tokens[0]) + body + _right_edge(tokens[-1]), re.IGNORECASE)


def _token_pattern(token: str) -> str:
    if not _is_number(token):
        return re.escape(token)
    digits = token.lstrip("-\u2212").replace(",", "")
    whole = re.match(r"[0-9]+", digits)
    split = whole.end() if whole else 0
    sign = "" if token[0].isdigit() else "[-\u2212\u2013]"
    return sign + ",?".join(digits[:split]) + re.escape(digits[split:])


def _left_edge(token: str) -> str:
    if not _is_number(token):
        return "" if _UNSPACED.match(token[0]) else r"(?<![^\W_])"
    return r"(?<![\w\u2212-])(?<![0-9][.,/:])" + _NOT_OPERAND_BEFORE


def _right_edge(token: str) -> str:
    if _is_number(token):
        return r"(?![.,/:]?[0-9])(?![\w%])" + _NOT_OPERAND_BEHIND
    return "" if _UNSPACED.match(token[-1]) else r"(?![^\W_])"


def _is_number(token: str) -> bool:
    return token[-1] in "0123456789%" and token[0] in "-\u22120123456789"
