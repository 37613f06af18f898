"""The rule for answers that are mathematical expressions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring.final_marker import marker_ends, sentence_end, skip_lead_in
from slmroute_plugin.scoring.latex_spans import BOX, LatexSpan, boxes, formulas
from slmroute_plugin.scoring.math_answer import comparison
from slmroute_plugin.scoring.math_equivalence import math_equivalence
from slmroute_plugin.scoring.plain_expression import has_prose, plain_expression
from slmroute_plugin.scoring.rule import Extracted, Reference, Rule

_BETWEEN = re.compile(
    r"[\s$\\()\[\]{}]{0,8}(?:,?\s*(?:and|or)\b|[,;])[\s$\\()\[\]{}]{0,8}(?:[a-z]\s*=\s*)?[\s${]{0,4}"
)
_NAME = re.compile(r"[A-Za-z](?:_\{?\w+\}?|\([A-Za-z]\))?")
_SAID = re.compile(r"\b(?:is|are|be|equals)\b|=")
_STOP = re.compile(r"[.!?](?=\s|\Z)|\n|\Z")
_JOIN_WITHIN = 24
_LONGEST = 2000


class MathRule(Rule):
    r"""A rule that reads the final expression; `value` is its text between dollar signs.

    The first of these that holds anything decides:

    1. The last \boxed{}; boxes that only a comma, "and" or "or" parts are one list.
    2. After the last final marker, earlier ones if that one has nothing: the formulas between
       dollar signs or LaTeX brackets that the sentence holds; else the sentence itself if it is
       free of prose; else its part before the prose ("5 apples"), its leading word, or its last
       number.
    3. The last formula of the text, or what its sentence says of it where it is a name alone
       ("$x$ is 5"); without one, the last line as a sentence under 2.

    Answers are equal as `comparison` says, which knows bases, words and units; and what has to
    be computed is math-verify's, under guard and in a process of its own (`math_equivalence`).
    What takes too long or cannot be parsed as a whole is wrong; the same text is right in any
    case.
    """

    name: ClassVar[str] = "math"
    kind: ClassVar[AnswerKind] = "free"

    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the final expression between dollar signs."""
        return _boxed(text) or _announced(text) or _last(text)

    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether the expression equals a target; either may stand between dollar signs."""
        given = _bare(answer)
        targets = [_bare(target) for target in reference.targets]
        return given in targets or (
            len(given) <= _LONGEST and any(_same(target, given) for target in targets)
        )


def _same(target: str, answer: str) -> bool:
    compared = comparison(target, answer)
    if compared.verdict is not None:
        return compared.verdict
    return any(math_equivalence()(left, right) for left, right in compared.pairs)


def _boxed(text: str) -> Extracted | None:
    outermost: list[LatexSpan] = []
    for box in boxes(text):
        if _bare(text[box.start : box.end]) and (not outermost or box.start > outermost[-1].end):
            outermost.append(LatexSpan(box.start, box.end))
    lists = _lists(text, outermost)
    return lists[-1] if lists else None


def _announced(text: str) -> Extracted | None:
    for position in marker_ends(text):
        end = sentence_end(text, position)
        within = [formula for formula in _formulas(text, position) if formula.start < end]
        head = skip_lead_in(text, position)
        if within and (head >= within[0].start or not text[head].isdigit()):
            return _lists(text, within)[0]
        expression = plain_expression(text, position, end, announced=True)
        if expression:
            return expression._replace(value=f"${_bare(expression.value)}$")
    return None


def _last(text: str) -> Extracted | None:
    lists = _lists(text, _formulas(text, 0))
    if lists:
        return _said_of_name(text, lists[-1]) or lists[-1]
    end = len(text.rstrip())
    expression = plain_expression(text, text.rfind("\n", 0, end) + 1, end)
    return expression._replace(value=f"${_bare(expression.value)}$") if expression else None


def _said_of_name(text: str, formula: Extracted) -> Extracted | None:
    """Return what the rest of the sentence says of a name alone: 5 of "$x$ is 5"."""
    stop = _STOP.search(text, formula.end)
    if stop is None or not _NAME.fullmatch(_bare(formula.value)):
        return None
    said = [*_SAID.finditer(text, formula.end, stop.start())]
    expression = plain_expression(text, said[-1].end(), stop.start()) if said else None
    if expression is None or not re.search(r"[0-9]", expression.value):
        return None
    return expression._replace(value=f"${_bare(expression.value)}$")


def _formulas(text: str, start: int) -> list[LatexSpan]:
    """Return the LaTeX from `start` on; between two prices ("$5 or maybe $6") is none."""
    return [
        span
        for span in formulas(text, start)
        if (formula := text[span.start : span.end]).strip()
        and ("\\" in formula or not has_prose(formula))
    ]


def _lists(text: str, spans: Sequence[LatexSpan]) -> list[Extracted]:
    """Return the expressions in order; those that only a comma, "and" or "or" parts are one."""
    groups: list[list[LatexSpan]] = []
    for span in spans:
        between = BOX.sub("", text[groups[-1][-1].end : span.start]) if groups else ""
        if groups and len(between) <= _JOIN_WITHIN and _BETWEEN.fullmatch(between):
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        Extracted(
            f"${', '.join(_bare(text[start:end]) for start, end in group)}$",
            group[0].start,
            group[-1].end,
        )
        for group in groups
    ]


def _bare(expression: str) -> str:
    """Return the expression without dollar signs or LaTeX brackets around it, or a full stop."""
    bare = expression.replace("\\$", "").replace("$", "").strip()
    if bare[:2] in ("\\(", "\\[") and bare[-2:] in ("\\)", "\\]"):
        bare = bare[2:-2]
    return " ".join(bare.split()).rstrip(".")
