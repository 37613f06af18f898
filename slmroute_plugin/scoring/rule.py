"""A scoring rule: what a reply is held against, what the rule finds in it, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

from slmroute_plugin.observation import AnswerKind


@dataclass(frozen=True)
class Reference:
    """What the right answer is, and what the choices were.

    Args:
        targets: acceptable answers; for a choice its letter, for a boolean "true" or "false".
        options: texts of the options in the order of their letters; empty if there are none.
        false_answers: answers known to be wrong, for rules that compare against them.
    """

    targets: tuple[str, ...]
    options: tuple[str, ...] = ()
    false_answers: tuple[str, ...] = ()


class Extracted(NamedTuple):
    """A final answer found in a reply: its normal form, and the span of text that names it."""

    value: str
    start: int
    end: int


class Rule(Protocol):
    """One way to find the final answer in a reply and to score it."""

    name: ClassVar[str]
    kind: ClassVar[AnswerKind]

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """The final answer in `text`, or None if there is none."""

    def correct(self, answer: str, reference: Reference) -> bool:
        """Whether an extracted `answer` (its `value`) is right."""


class Verdict(NamedTuple):
    """Whether a reply is right, and who says so.

    Attributes:
        correct: whether it is right.
        answer: the answer that the rule found in it; None if none.
        scored_by: the rule's name, or `judge:<model>`.
        judge_error: why the judge, though asked, gave no verdict, so that the rule did.
    """

    correct: bool
    answer: str | None
    scored_by: str
    judge_error: str | None = None


def score(rule: Rule, text: str, reference: Reference) -> Verdict:
    """The verdict of `rule` on the reply `text`; a reply without an answer is wrong."""
    found = rule.extract(text, reference)
    if found is None:
        return Verdict(False, None, rule.name)
    return Verdict(rule.correct(found.value, reference), found.value, rule.name)
