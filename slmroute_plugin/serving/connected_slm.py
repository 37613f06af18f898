"""An SLM behind a server: questions are asked on one connection, each as it comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.observation import Answer
from slmroute_plugin.serving.slm_service import SlmQuestion, SlmUnavailable

if TYPE_CHECKING:
    from slmroute_plugin.backends.openai_compatible.backend import OpenAiCompatibleBackend
    from slmroute_plugin.run.assessor import Assessor

logger = logging.getLogger(__name__)


class ConnectedSlm:
    """An SLM behind a server that speaks OpenAI's protocol.

    Args:
        assessor: The model, with the methods that run.
        ask: A function that asks the server one question.
    """

    def __init__(self, assessor: Assessor, ask: Callable[[Question], Awaitable[Observed]]) -> None:
        self._assessor = assessor
        self._ask = ask

    async def answer(self, question: SlmQuestion) -> Answer:
        """Answer a question at once; see `SlmService`."""
        from slmroute_plugin.backends.openai_compatible.server import ServerError

        try:
            instance = self._assessor.instance(*question)
            assert instance.question is not None
            seen = await self._ask(instance.question)
        except ValueError as error:  # the question cannot be put in the server's form
            raise SlmUnavailable("slm_cannot_be_asked", str(error)) from None
        except ServerError as error:
            logger.warning("the SLM failed: %s", error)
            raise SlmUnavailable("slm_error", str(error)) from None
        return self._assessor.answer_of(seen, instance)

    async def unanswered(self, question: SlmQuestion) -> Answer:
        """Assess a question without asking the server; see `SlmService`."""
        try:
            instance = self._assessor.instance(*question)
        except ValueError as error:
            raise SlmUnavailable("slm_cannot_be_asked", str(error)) from None
        return self._assessor.unanswered([instance], frozenset())[0]


@asynccontextmanager
async def connected_slm(
    assessor: Assessor, backend: OpenAiCompatibleBackend
) -> AsyncIterator[ConnectedSlm]:
    """Connect to the SLM's server for the time of the block."""
    async with backend.connected(assessor.plan.signals, assessor.seed) as ask:
        yield ConnectedSlm(assessor, ask)
