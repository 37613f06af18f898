"""The observation of one question, and the answer that carries what was made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from slmroute_plugin.conversation import Message
from slmroute_plugin.signals import Signal, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

AnswerKind = Literal["choice", "boolean", "free"]


class NoConfidence(Exception):
    """An exception by which a method states that it has no confidence; its text says why."""


@dataclass(frozen=True)
class Missing:
    """A stand-in for a signal that could not be delivered for a question.

    Attributes:
        reason: The reason why there is no value.
    """

    reason: str


class AnswerRule(Protocol):
    """A rule that finds the final answers of replies to one question, and compares them.

    It knows no right answer, so that no label reaches a method.
    """

    def final(self, text: str) -> str | None:
        """Return the final answer in a reply; None if there is none."""

    def same(self, one: str, other: str) -> bool:
        """Return whether two replies give the same final answer."""


@dataclass(frozen=True)
class Observation:
    """An observation of one question: its text, the answer, and the values of signals.

    `seen[signal]` gives the value of a signal that the method asks for.

    Args:
        question: The question as the user turn states it, instruction included.
        answer: The model's greedy answer, cut at stop strings, without think text.
        kind: The kind of answer: `choice` (a letter), `boolean` (true or false) or `free`.
        signals: The values that the backend delivered, by signal.
        answer_rule: The task's rule for final answers; None to compare whole replies.
    """

    question: str
    answer: str
    kind: AnswerKind = "free"
    signals: Mapping[Signal[Any], Any] = field(default_factory=dict)
    answer_rule: AnswerRule | None = field(default=None, compare=False, repr=False)

    def __getitem__(self, signal: Signal[T]) -> T:
        """Return the value of a signal.

        Raises:
            NoConfidence: If the backend could not deliver the signal for this question; its text
                says why.
            KeyError: If the method did not ask for the signal.
        """
        value = self.signals[signal]
        if isinstance(value, Missing):
            raise NoConfidence(value.reason)
        return value  # type: ignore[no-any-return]

    def final(self, text: str) -> str | None:
        """Return the final answer that the task's rule finds in a reply, in its normal form.

        It is the option's letter, "true" or "false", a number, an expression, or a text; None if
        the reply gives no answer.
        """
        if self.answer_rule is None:
            return text.strip() or None
        return self.answer_rule.final(text)

    def same_answer(self, one: str, other: str) -> bool:
        """Return whether two replies give the same final answer by the task's own rule.

        It is symmetric, and true of a reply and itself. Replies without a final answer are the
        same if their words are.
        """
        if self.answer_rule is None:
            return plain_words(one) == plain_words(other)
        return self.answer_rule.same(one, other)


def plain_words(text: str) -> list[str]:
    """Return the words of a text without regard to case, parted at white space.

    >>> plain_words(" It is\\nParis. ")
    ['it', 'is', 'paris.']
    """
    return text.casefold().split()


class Answer(str):
    """An answer of a model: a plain string to lm-eval, with what was observed attached.

    Attributes:
        confidence: The confidence by method, in [0, 1], higher is surer; None if there is none.
        reasons: The reason why there is no confidence, by method.
        own_answers: The text to score in place of this answer, by method, for methods that
            obtain an answer of their own.
        kept: The hidden states to keep for probes, float32, by signal.
        fitted_on: A description of the rows that a probe was fitted on, by trained method.
        combines: The names of the methods whose confidences a trained method reads, with commas
            between, by that trained method.
        tokens: The answer's token ids and log-probabilities; None if the backend has none.
        prompt: The prompt that the model saw.
        messages: The conversation that the prompt was made from.
        work: What the answer and its signals took, by column of the samples; empty if the backend
            cannot tell.
        answered: Whether the model answered; False if the question was routed to a stronger model
            before, and the text is empty.
    """

    confidence: dict[str, float | None]
    reasons: dict[str, str]
    own_answers: dict[str, str]
    kept: dict[Signal[Any], NDArray[np.float32]]
    fitted_on: dict[str, str]
    combines: dict[str, str]
    tokens: Tokens | None
    prompt: str
    messages: Sequence[Message]
    work: Mapping[str, Any]
    answered: bool

    def __new__(
        cls,
        text: str,
        *,
        confidence: dict[str, float | None] | None = None,
        reasons: dict[str, str] | None = None,
        own_answers: dict[str, str] | None = None,
        kept: dict[Signal[Any], NDArray[np.float32]] | None = None,
        fitted_on: dict[str, str] | None = None,
        combines: dict[str, str] | None = None,
        tokens: Tokens | None = None,
        prompt: str = "",
        messages: Sequence[Message] = (),
        work: Mapping[str, Any] | None = None,
        answered: bool = True,
    ) -> Answer:
        answer = super().__new__(cls, text)
        answer.confidence = confidence or {}
        answer.reasons = reasons or {}
        answer.own_answers = own_answers or {}
        answer.kept = kept or {}
        answer.fitted_on = fitted_on or {}
        answer.combines = combines or {}
        answer.tokens = tokens
        answer.prompt = prompt
        answer.messages = messages
        answer.work = work or {}
        answer.answered = answered
        return answer
