"""The SLM as the proxy asks it: one question at a time, with a time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Answer
from slmroute_plugin.signals import FirstTokenProbs, HiddenState, PromptStates

if TYPE_CHECKING:
    from slmroute_plugin.run.assessor import Assessor


class SlmQuestion(NamedTuple):
    """A question for the SLM.

    Attributes:
        messages: The conversation.
        generation: lm-eval's generation settings.
    """

    messages: Sequence[Message]
    generation: Mapping[str, Any]

    @property
    def first_token(self) -> SlmQuestion:
        """The same question, whose answer ends with its first token."""
        return self._replace(generation={**self.generation, "max_gen_toks": 1})


class SlmUnavailable(Exception):
    """An error for an answer of the SLM that cannot be had.

    Args:
        reason: A short name of the reason, for headers, logs and metrics.
        text: A line about it, for logs.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class SlmService(Protocol):
    """An SLM that answers questions with confidences."""

    async def answer(self, question: SlmQuestion) -> Answer:
        """Answer a question, with the confidences of the methods that run.

        Raises:
            SlmUnavailable: If there is no answer.
        """


OpenedSlm = AbstractAsyncContextManager[SlmService]


def decides_before(assessor: Assessor, method: str) -> bool:
    """Return whether a method needs the prompt alone, so that it decides before the answer."""
    fitted = assessor.plan.fitted.get(method)
    if fitted is not None:
        signals: tuple[object, ...] = (fitted.probe.signal,)
    else:
        signals = tuple(assessor.plan.methods[method].asks)
    return all(
        isinstance(signal, (PromptStates, FirstTokenProbs))
        or (isinstance(signal, HiddenState) and signal.position == "last_prompt")
        for signal in signals
    )
