"""What was seen for one question, and the answer that carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from slmroute_plugin.conversation import Message
from slmroute_plugin.signals import HiddenState, Signal, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

AnswerKind = Literal["choice", "boolean", "free"]


class NoConfidence(Exception):
    """Raised by a method that cannot tell a confidence; its text says why."""


@dataclass(frozen=True)
class Missing:
    """Stands in for a signal that could not be had for this question."""

    reason: str


@dataclass(frozen=True)
class Observation:
    """What was seen for one question.

    `seen[signal]` gives what the backend delivered for a signal that the method asks for.

    Args:
        question: the question as the user turn states it, instruction included.
        answer: the model's greedy answer, cut at stop strings, without think text.
        kind: `choice` (a letter), `boolean` (true or false) or `free`.
        signals: what was delivered, by signal.
    """

    question: str
    answer: str
    kind: AnswerKind = "free"
    signals: Mapping[Signal[Any], Any] = field(default_factory=dict)

    def __getitem__(self, signal: Signal[T]) -> T:
        """Value of `signal`.

        Raises:
            NoConfidence: the backend could not deliver it for this question; says why.
            KeyError: the method did not ask for it.
        """
        value = self.signals[signal]
        if isinstance(value, Missing):
            raise NoConfidence(value.reason)
        return value  # type: ignore[no-any-return]


class Answer(str):
    """A model's answer: a plain string to lm-eval, with what was seen attached.

    Attributes:
        confidence: by method, in [0, 1], higher is surer; None where there is none.
        reasons: by method, why there is no confidence.
        own_answers: by method, the text to score in place of this answer, for methods
            that obtain an answer of their own.
        kept: hidden states to keep for probes, float32, by signal.
        fitted_on: by trained method, what its probe was fitted on.
        tokens: token ids and log-probabilities of the answer, if the backend has them.
        prompt: the prompt that the model saw.
        messages: the conversation that the prompt was made from.
    """

    confidence: dict[str, float | None]
    reasons: dict[str, str]
    own_answers: dict[str, str]
    kept: dict[Signal[Any], NDArray[np.float32]]
    fitted_on: dict[str, str]
    tokens: Tokens | None
    prompt: str
    messages: Sequence[Message]

    def __new__(
        cls,
        text: str,
        *,
        confidence: dict[str, float | None] | None = None,
        reasons: dict[str, str] | None = None,
        own_answers: dict[str, str] | None = None,
        kept: dict[Signal[Any], NDArray[np.float32]] | None = None,
        fitted_on: dict[str, str] | None = None,
        tokens: Tokens | None = None,
        prompt: str = "",
        messages: Sequence[Message] = (),
    ) -> Answer:
        answer = super().__new__(cls, text)
        answer.confidence = confidence or {}
        answer.reasons = reasons or {}
        answer.own_answers = own_answers or {}
        answer.kept = kept or {}
        answer.fitted_on = fitted_on or {}
        answer.tokens = tokens
        answer.prompt = prompt
        answer.messages = messages
        return answer

    @property
    def hidden_state(self) -> NDArray[np.float32] | None:
        """The vector of one layer at one token, if it was kept."""
        kept = (vector for signal, vector in self.kept.items() if isinstance(signal, HiddenState))
        return next(kept, None)
