"""The rule for questions of true or false, yes or no."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule

_NOT = r"(?:not|never|(?:is|was|are|were|ca|does|do|did|would)n['\u2019]?t|cannot)"
_NEGATION = (
    rf"(?:{_NOT}\s+(?:think|believe)\s+(?:that\s+)?"
    r"(?:it|this|that|the\s+[^\W\d_]+)(?:\s+is|['\u2019]s)\s+"
    r"|unlikely\s+(?:to\s+be\s+|that\s+it\s+is\s+)?|hardly\s+"
    rf"|{_NOT}\s+(?:(?:seem|appear)\s+(?:to\s+be\s+)?)?"
    r"(?:(?:be|necessarily|really|actually|entirely|completely|quite|strictly)\s+)?)"
)
# Words of other languages, and "correct", which says more than a polarity within a sentence.
_SPACED_YES = (
    r"yep|yeah|sí|oui|ja|sim|vrai|wahr|richtig|verdadero|verdadeiro|vero|да|верно|правда|نعم|صحيح"
    r"|हाँ|예|네|참|맞습니다"
)
_SPACED_NO = (
    r"nope|non|nein|não|faux|falsch|falso|нет|неверно|ложь|لا|خطأ|नहीं|아니요|아니오|아닙니다|거짓"
)
_UNSPACED_YES = r"是的?|对的?|對的?|正确|正確|真|没错|はい|正しい"
_UNSPACED_NO = r"不是的?|否|不对|不對|不正确|不正確|错误?|錯誤?|假|いいえ|正しくない|誤り"
_WORD = re.compile(
    r"(?<![^\W_])(?<![^\W_]_)(?:(?P<offered>(?:true|false|yes|no)[\s*_`\"')]{0,4}"
    r"(?:/|\bor\b)[\s*_`\"'(]{0,4}(?:true|false|yes|no)"
    r"|true\W{1,6}and\W{1,6}false|false\W{1,6}and\W{1,6}true|yes\W{1,6}and\W{1,6}no(?!\s+\w))"
    rf"|(?P<negation>{_NEGATION})?(?:(?P<true>true)|(?P<false>false|untrue)"
    rf"|(?P<correct>correct|right)|(?P<incorrect>incorrect|wrong))"
    rf"|(?P<yes>yes)|(?P<no>no)|(?P<spaced_yes>{_SPACED_YES})|(?P<spaced_no>{_SPACED_NO}))"
    r"(?![^\W_]|_+[^\W_])"
    rf"|(?:(?P<unspaced_no>{_UNSPACED_NO})|(?P<unspaced_yes>{_UNSPACED_YES}))(?!\w)",
    re.IGNORECASE,
)
_POSITIVE = frozenset({"true", "yes", "correct", "spaced_yes", "unspaced_yes"})
_ENGLISH = frozenset({"true", "false", "yes", "no"})
_STANDS_ALONE = re.compile(
    r"[\s*_`\"'\u201d\u2019)\]}$\\]*(?:[.,;:!?\u2013\u2014\u3001\u3002\u060c\u0964]|-(?!\w)|\n|\Z)"
)
_SAID_OF_IT = re.compile(
    r"(?:\b(?:is|are|was|were|be|seems)|(?<!\blet)['\u2019]s)\s+\Z", re.IGNORECASE
)
_QUESTION = re.compile(
    r"(?:^|[.!?:;])[\s*_\"'(]{0,8}"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b[^.!?:;\n]*\?",
    re.IGNORECASE | re.MULTILINE,
)
_LEFT_OPEN = re.compile(r"\b(?:whether|if)\s+(?:[\w'\u2019]+\s+){1,6}\Z", re.IGNORECASE)
_LAST_WORD = re.compile(r"[\W_]*\Z")
_BEFORE = 16
_CLAUSE = 64


class BooleanRule(Rule):
    """A rule that reads "true" (true, yes) or "false" (false, no); the span is the word's.

    The first of these that names one decides:

    1. The word that heads the reply ("False, because it is true that…"); a "no" before a further
       word, as in "No evidence…", only if the next step names none.
    2. The first word of the sentence after the last final marker ("the answer is"); earlier
       markers if that one names none.
    3. The word with which the reply ends, on a line of its own.
    4. The only polarity named anywhere; both named is None.

    A denied word says the opposite ("not true", "I don't think that it is true" are false), and
    its span includes the denial, which is what names the answer there. "True or false" offered
    together name neither, nor does a question ("Is it true?") or what is left open ("whether it is
    true"). Yes and no count beyond the head of a reply or a statement only where they stand alone:
    "there is no evidence" says nothing. "Correct", "wrong" and words of other languages ("是",
    "нет") count where they stand alone at a head or on the last line, and "correct" also where it
    is said of something ("the statement is incorrect.").
    """

    name: ClassVar[str] = "boolean"
    kind: ClassVar[AnswerKind] = "boolean"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the value "true" or "false"."""
        asked = [question.span() for question in _QUESTION.finditer(text)]
        words = [
            word
            for word in _WORD.finditer(text)
            if not word["offered"] and not any(start <= word.start() < end for start, end in asked)
        ]
        if not words:
            return None
        head = _at(text, 0, words)
        if head and _group(words[0]) == "no" and not _stands_alone(text, words[0]):
            head = _announced(text, words) or head
        return head or _announced(text, words) or _last_line(text, words[-1]) or _only(text, words)

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the polarity is the target's; "yes" and "no" serve as targets too."""
        return answer in {_polarity(target) for target in reference.targets}


def _at(text: str, start: int, words: Sequence[re.Match[str]]) -> Extracted | None:
    head = skip_lead_in(text, start)
    word = next((word for word in words if word.start() == head), None)
    if word is None or (_group(word) not in _ENGLISH and not _stands_alone(text, word)):
        return None
    return _extracted(word)


def _announced(text: str, words: Sequence[re.Match[str]]) -> Extracted | None:
    for position in marker_ends(text):
        end = sentence_end(text, position)
        within = [word for word in words if position <= word.start() < end]
        answer = _at(text, position, within) or next(
            (_extracted(word) for word in within if _is_answer(text, word)), None
        )
        if answer:
            return answer
    return None


def _last_line(text: str, word: re.Match[str]) -> Extracted | None:
    line_start = text.rfind("\n", 0, word.start()) + 1
    alone = skip_lead_in(text, line_start) == word.start() and _LAST_WORD.match(text, word.end())
    return _extracted(word) if alone else None


def _only(text: str, words: Sequence[re.Match[str]]) -> Extracted | None:
    answers = [_extracted(word) for word in words if _is_answer(text, word)]
    return answers[0] if len({answer.value for answer in answers}) == 1 else None


def _is_answer(text: str, word: re.Match[str]) -> bool:
    """Return whether a word inside a sentence says what the reply answers."""
    group = _group(word)
    if group in ("true", "false"):
        return not _LEFT_OPEN.search(text[max(0, word.start() - _CLAUSE) : word.start()])
    if group in ("correct", "incorrect"):
        before = text[max(0, word.start() - _BEFORE) : word.start()]
        said = word["negation"] or _SAID_OF_IT.search(before)
        return bool(said) and _stands_alone(text, word)
    return group in _ENGLISH and _stands_alone(text, word)


def _stands_alone(text: str, word: re.Match[str]) -> bool:
    return _STANDS_ALONE.match(text, word.end()) is not None


def _group(word: re.Match[str]) -> str:
    return word.lastgroup or ""


def _extracted(word: re.Match[str]) -> Extracted:
    positive = (_group(word) in _POSITIVE) != bool(word["negation"])
    return Extracted("true" if positive else "false", *word.span())


def _polarity(target: str) -> str | None:
    word = _WORD.fullmatch(target.strip())
    return _extracted(word).value if word and not word["offered"] else None
