"""The SLM as the proxy asks it: one question at a time, with a time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Answer


class SlmQuestion(NamedTuple):
    """A question for the SLM.

    Attributes:
        messages: The conversation.
        generation: lm-eval's generation settings.
    """

    messages: Sequence[Message]
    generation: Mapping[str, Any]


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

    async def unanswered(self, question: SlmQuestion) -> Answer:
        """Assess a question by its prompt alone, for a method that needs no answer.

        Raises:
            SlmUnavailable: If the prompt cannot be read.
        """
