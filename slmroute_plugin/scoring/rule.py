"""A scoring rule: the reference of a reply, the answer that a rule finds in it, the verdict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.reply_text.wrapping import unwrapped


@dataclass(frozen=True)
class Reference:
    """The right answers to a question, and its choices.

    Args:
        targets: The acceptable answers; for a choice its letter, for a boolean "true" or "false".
        options: The texts of the options in the order of their letters; empty without options.
        false_answers: The answers known to be wrong, for rules that compare against them.
    """

    targets: tuple[str, ...]
    options: tuple[str, ...] = ()
    false_answers: tuple[str, ...] = ()


class Extracted(NamedTuple):
    """A final answer that a reply gives: its normal form, and the span of text that names it."""

    value: str
    start: int
    end: int


class Rule(ABC):
    """One way to find the final answer in a reply and to score it.

    A rule reads what `unwrapped` leaves of a reply, so that tags, control tokens, emoji and the
    like never hide an answer; the span that it names is mapped back to the reply.
    """

    name: ClassVar[str]
    kind: ClassVar[AnswerKind]

    def extract(self, text: str, reference: Reference) -> Extracted | None:
        """Return the final answer in the reply `text`, or None if there is none."""
        reply = unwrapped(text)
        answer = self.find(reply.text, reference)
        if answer is None:
            return None
        return Extracted(answer.value, *reply.original_span(answer.start, answer.end))

    @abstractmethod
    def find(self, text: str, reference: Reference) -> Extracted | None:
        """Return the final answer in an unwrapped text, or None if there is none."""

    @abstractmethod
    def correct(self, answer: str, reference: Reference) -> bool:
        """Return whether an extracted `answer` (its `value`) is right."""

    def same(self, one: str, other: str) -> bool:
        """Return whether two extracted answers are equal: whether either, if right, makes both so.

        The right answer has no part in it.
        """
        return self.correct(one, Reference((other,))) or self.correct(other, Reference((one,)))


class Verdict(NamedTuple):
    """A decision on a reply: right or wrong, and who says so.

    Attributes:
        correct: Whether the reply is right.
        answer: The answer that the rule found in it; None if it found none.
        scored_by: The rule's name, or `judge:<model>`.
        judge_error: The reason why the judge, though asked, gave no verdict, so that the rule
            did.
    """

    correct: bool
    answer: str | None
    scored_by: str
    judge_error: str | None = None


def score(rule: Rule, text: str, reference: Reference) -> Verdict:
    """Return the verdict of `rule` on the reply `text`; a reply without an answer is wrong."""
    answer = rule.extract(text, reference)
    if answer is None:
        return Verdict(False, None, rule.name)
    return Verdict(rule.correct(answer.value, reference), answer.value, rule.name)
