"""The final mathematical expression of a reply."""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.math_equivalence import math_equivalence
from slmroute_plugin.scoring.number import NumberRule
from slmroute_plugin.scoring.rule import Extracted, Reference

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FORMULA = re.compile(
    r"\$\$(?P<display>[^$]{1,2000})\$\$|(?<!\\)\$(?P<inline>(?:\\\$|[^$\n]){1,2000})(?<!\\)\$"
    r"|\\\((?P<round>.{1,2000}?)\\\)|\\\[(?P<square>.{1,2000}?)\\\]",
    re.DOTALL,
)
_BETWEEN = re.compile(
    r"[\s$\\()\[\]{}]{0,8}(?:,?\s*(?:and|or)\b|[,;])[\s$\\()\[\]{}]{0,8}(?:[a-z]\s*=\s*)?[\s${]{0,4}"
)
_TEXT_COMMAND = re.compile(r"\\(?:text|mbox|math)[a-z]*\s*\{[^{}]*\}")
_PROSE = re.compile(
    r"(?<![\\A-Za-z{])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|and|inf|infinity)\b)"
    r"(?:[A-Za-z]{3,}|is|of|to|in|as|so|we|it|if|cm|km|kg|mm)\b"
)
_WORD = re.compile(r"[A-Za-z]{2,}")
_MARKUP = " \t\r\n*_`\"'\u201c\u201d:;,."
_JOIN_WITHIN = 24
_MOST_BOXES = 20
_LONGEST = 2000


class _Span(NamedTuple):
    start: int
    end: int


class MathRule:
    """The final expression; `value` is its LaTeX between dollar signs, as math-verify reads it.

    The first of these that holds anything decides:

    1. The last \\boxed{}; boxes that only a comma, "and" or "or" parts are one list.
    2. After the last final marker, earlier ones if that one has nothing: the formulas between
       dollar signs or LaTeX brackets that the sentence holds; else the sentence itself if it is
       free of prose; else its part before the prose ("5 apples"), its only word, or its last
       number.
    3. The last formula of the text; without one, the last line as a sentence under 2.

    Equality is math-verify's, decided in a process of its own (`math_equivalence`). What takes
    too long or cannot be parsed is wrong; the same LaTeX is right in any case.
    """

    name: ClassVar[str] = "math"
    kind: ClassVar[AnswerKind] = "free"

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The final expression between dollar signs."""
        return _boxed(text) or _announced(text) or _last(text)

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether the expression equals a target, which may stand with or without dollar signs."""
        given = _between_dollars(answer)
        targets = [_between_dollars(target) for target in reference.targets]
        return given in targets or (
            len(given) <= _LONGEST and any(math_equivalence()(target, given) for target in targets)
        )


def _boxed(text: str) -> Extracted | None:
    boxes = [_inside_braces(text, match.end()) for match in [*_BOX.finditer(text)][-_MOST_BOXES:]]
    outermost: list[_Span] = []
    for box in boxes:
        legible = _between_dollars(text[box.start : box.end]) != "$$"
        if legible and (not outermost or box.start > outermost[-1].end):
            outermost.append(box)
    lists = _lists(text, outermost)
    return lists[-1] if lists else None


def _announced(text: str) -> Extracted | None:
    for position in marker_ends(text):
        end = sentence_end(text, position)
        formulas = [formula for formula in _formulas(text, position) if formula.start < end]
        head = skip_lead_in(text, position)
        if formulas and (head >= formulas[0].start or not text[head].isdigit()):
            return _lists(text, formulas)[0]
        found = _plain(text, _plain_start(text, position), end)
        if found:
            return found
    return None


def _last(text: str) -> Extracted | None:
    lists = _lists(text, _formulas(text, 0))
    if lists:
        return lists[-1]
    end = len(text.rstrip())
    return _plain(text, _plain_start(text, text.rfind("\n", 0, end) + 1), end)


def _formulas(text: str, start: int) -> list[_Span]:
    """LaTeX between dollar signs or brackets; between two prices ("$5 or maybe $6") is none."""
    spans = [_Span(*match.span(match.lastgroup or 0)) for match in _FORMULA.finditer(text, start)]
    return [
        span
        for span in spans
        if (formula := text[span.start : span.end]).strip()
        and ("\\" in formula or not _PROSE.search(formula))
    ]


def _lists(text: str, spans: list[_Span]) -> list[Extracted]:
    """The expressions in order; those that only a comma, "and" or "or" parts are one list."""
    groups: list[list[_Span]] = []
    for span in spans:
        between = _BOX.sub("", text[groups[-1][-1].end : span.start]) if groups else ""
        if groups and len(between) <= _JOIN_WITHIN and _BETWEEN.fullmatch(between):
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        Extracted(
            f"${', '.join(_between_dollars(text[start:end])[1:-1] for start, end in group)}$",
            group[0].start,
            group[-1].end,
        )
        for group in groups
    ]


def _plain_start(text: str, start: int) -> int:
    """Where a plain expression begins: past words like "about", at its first bracket or sign."""
    after = skip_lead_in(text, start)
    lead_in = text[max(start, after - _JOIN_WITHIN) : after]
    kept = re.search(r"[-(\[{\\|][-(\[{\\|\s]*\Z", lead_in)
    return after - len(lead_in) + kept.start() if kept else after


def _plain(text: str, start: int, end: int) -> Extracted | None:
    """The expression that stands in `text[start:end]` without LaTeX's marks around it."""
    while end > start and text[end - 1] in _MARKUP:
        end -= 1
    sentence = text[start:end]
    if _WORD.fullmatch(sentence):
        return Extracted(f"$\\text{{{sentence}}}$", start, end)
    prose = _PROSE.search(_TEXT_COMMAND.sub(lambda command: "0" * len(command.group()), sentence))
    head = sentence[: prose.start()].rstrip(_MARKUP) if prose else sentence
    if re.search(r"[0-9]", head) or (not prose and re.search(r"[A-Za-z]", head)):
        return Extracted(_between_dollars(head), start, start + len(head))
    number = NumberRule().extract(sentence, Reference(()))
    if number is None:
        return None
    return Extracted(f"${number.value}$", start + number.start, start + number.end)


def _inside_braces(text: str, start: int) -> _Span:
    """The content of the brace that opens before `start`; of the line, if it is never closed."""
    depth = 1
    for mark in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark.group(), 0)
        if depth == 0:
            return _Span(start, mark.start())
    line_end = text.find("\n", start)
    return _Span(start, len(text) if line_end < 0 else line_end)


def _between_dollars(expression: str) -> str:
    bare = expression.replace("\\$", "").replace("$", "").strip()
    if bare[:2] in ("\\(", "\\[") and bare[-2:] in ("\\)", "\\]"):
        bare = bare[2:-2]
    return f"${' '.join(bare.split()).rstrip('.')}$"
