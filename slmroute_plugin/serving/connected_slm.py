"""An SLM behind a server: questions are asked on one connection, each as it comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.observation import Answer
from slmroute_plugin.serving.slm_service import SlmQuestion, SlmUnavailable
from slmroute_plugin.signals import Signal

if TYPE_CHECKING:
    from slmroute_plugin.backends.openai_compatible.backend import OpenAiCompatibleBackend
    from slmroute_plugin.run.assessor import Assessor
    from slmroute_plugin.run.instance import RoutedInstance

logger = logging.getLogger(__name__)

Ask = Callable[[Question], Awaitable[Observed]]


class ConnectedSlm:
    """An SLM behind a server that speaks OpenAI's protocol.

    Args:
        assessor: The model, with the methods that run.
        ask: A function that asks the server one question.
        read: A function that has the server read one prompt; None if nothing is seen of prompts.
    """

    def __init__(self, assessor: Assessor, ask: Ask, read: Ask | None = None) -> None:
        self._assessor = assessor
        self._ask = ask
        self._read = read

    async def answer(self, question: SlmQuestion) -> Answer:
        """Answer a question at once; see `SlmService`."""
        instance = self._instance(question)
        return self._assessor.answer_of(await self._seen(self._ask, instance), instance)

    async def unanswered(self, question: SlmQuestion) -> Answer:
        """Assess a question by its prompt at once; see `SlmService`."""
        instance = self._instance(question)
        if self._read is None:
            return self._assessor.unanswered([instance], frozenset())[0]
        return self._assessor.unanswered_of(await self._seen(self._read, instance), instance)

    def _instance(self, question: SlmQuestion) -> RoutedInstance:
        """Return the request for a question.

        Raises:
            SlmUnavailable: If the question cannot be put in the model's form.
        """
        try:
            return self._assessor.instance(*question)
        except ValueError as error:
            raise SlmUnavailable("slm_cannot_be_asked", str(error)) from None

    async def _seen(self, ask: Ask, instance: RoutedInstance) -> Observed:
        """Return what is observed of a request.

        Raises:
            SlmUnavailable: If the server does not tell.
        """
        from slmroute_plugin.backends.openai_compatible.server import ServerError

        assert instance.question is not None
        try:
            return await ask(instance.question)
        except ValueError as error:  # the question cannot be put in the server's form
            raise SlmUnavailable("slm_cannot_be_asked", str(error)) from None
        except ServerError as error:
            logger.warning("the SLM failed: %s", error)
            raise SlmUnavailable("slm_error", str(error)) from None


@asynccontextmanager
async def connected_slm(
    assessor: Assessor, backend: OpenAiCompatibleBackend, of_prompt: frozenset[Signal[Any]]
) -> AsyncIterator[ConnectedSlm]:
    """Connect to the SLM's server for the time of the block.

    Args:
        assessor: The model, with the methods that run.
        backend: The model's backend.
        of_prompt: What is seen of a prompt for a method that needs no answer.
    """
    async with AsyncExitStack() as stack:
        asking = backend.connected(assessor.plan.signals, assessor.seed)
        ask, read = await stack.enter_async_context(asking), None
        if of_prompt:
            reading = backend.connected(of_prompt, assessor.seed, of_prompts=True)
            read = await stack.enter_async_context(reading)
        yield ConnectedSlm(assessor, ask, read)
