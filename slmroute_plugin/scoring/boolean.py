"""Whether a reply says true (yes) or false (no)."""

from __future__ import annotations

import re
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.rule import Extracted, Reference

_NEGATION = (
    r"(?:not|never|(?:is|was|are|were|ca|does|would)n['\u2019]?t|cannot)"
    r"(?:\s+(?:be|necessarily|really|actually|entirely|completely|quite|strictly))?\s+"
)
_WORD = re.compile(
    r"(?<!\w)(?:(?P<offered>(?:true|false|yes|no)[\s*_`\"')]{0,4}(?:/|\bor\b)[\s*_`\"'(]{0,4}"
    r"(?:true|false|yes|no))"
    rf"|(?P<negation>{_NEGATION})?(?:(?P<true>true)|(?P<false>false))"
    r"|(?P<yes>yes)|(?P<no>no))(?!\w)",
    re.IGNORECASE,
)
_STANDS_ALONE = re.compile(r"[\s*_`\"'\u201d\u2019)\]}$\\]*(?:[.,;:!?\u2013\u2014-]|\n|\Z)")
_LAST_WORD = re.compile(r"[\s.)\]}*_`\"'$!\\]*\Z")


class BooleanRule:
    """Whether the reply says "true" (true, yes) or "false" (false, no); the span is the word's.

    The first of these that names one decides:

    1. The word that heads the reply ("False, because it is true that…").
    2. The first word of the sentence after the last final marker ("the answer is"); earlier
       markers if that one names none.
    3. The word with which the reply ends, on a line of its own.
    4. The only polarity named anywhere; both named is None.

    A denied word says the opposite ("not true" is false), and its span includes the denial,
    which is what names the answer there. "True or false" offered together name neither. Yes and
    no count beyond the head of a reply or a statement only where they stand alone: "there is no
    evidence" says nothing.
    """

    name: ClassVar[str] = "boolean"
    kind: ClassVar[AnswerKind] = "boolean"

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The value "true" or "false"."""
        words = [word for word in _WORD.finditer(text) if not word["offered"]]
        if not words:
            return None
        return (
            _at(text, 0, words)
            or _announced(text, words)
            or _last_line(text, words[-1])
            or _only(text, words)
        )

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether the polarity is the target's; "yes" and "no" serve as targets too."""
        return answer in {_polarity(target) for target in reference.targets}


def _at(text: str, start: int, words: list[re.Match[str]]) -> Extracted | None:
    head = skip_lead_in(text, start)
    return next((_extracted(word) for word in words if word.start() == head), None)


def _announced(text: str, words: list[re.Match[str]]) -> Extracted | None:
    for position in marker_ends(text):
        end = sentence_end(text, position)
        within = [word for word in words if position <= word.start() < end]
        found = _at(text, position, within) or next(
            (_extracted(word) for word in within if _is_answer(text, word)), None
        )
        if found:
            return found
    return None


def _last_line(text: str, word: re.Match[str]) -> Extracted | None:
    line_start = text.rfind("\n", 0, word.start()) + 1
    alone = skip_lead_in(text, line_start) == word.start() and _LAST_WORD.match(text, word.end())
    return _extracted(word) if alone else None


def _only(text: str, words: list[re.Match[str]]) -> Extracted | None:
    answers = [_extracted(word) for word in words if _is_answer(text, word)]
    return answers[0] if len({answer.value for answer in answers}) == 1 else None


def _is_answer(text: str, word: re.Match[str]) -> bool:
    return bool(word["true"] or word["false"] or _STANDS_ALONE.match(text, word.end()))


def _extracted(word: re.Match[str]) -> Extracted:
    positive = bool(word["true"] or word["yes"]) != bool(word["negation"])
    return Extracted("true" if positive else "false", *word.span())


def _polarity(target: str) -> str | None:
    word = _WORD.fullmatch(target.strip())
    return _extracted(word).value if word and not word["offered"] else None
