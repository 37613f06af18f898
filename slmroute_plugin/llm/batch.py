"""The asking of a batch of questions at the same time, within the limits of the process."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from slmroute_plugin.conversation import Message
from slmroute_plugin.llm.exchange import LlmReply
from slmroute_plugin.llm.limits import Limits
from slmroute_plugin.llm.paid_body import read_paid_body
from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.openai_protocol.attempts import Attempts
from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.failures import Failure, failure_of
from slmroute_plugin.openai_protocol.parameters import refused_parameter, without

if TYPE_CHECKING:
    from anyio import CancelScope
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

# The `create` of the package, which returns a response whose body is not read yet.
Create: TypeAlias = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class ChatCall:
    """A question as it is sent to a server.

    Attributes:
        key: The key of the answer in the cache.
        messages: The conversation.
        parameters: The parameters of the API that are sent with the conversation.
    """

    key: str
    messages: Sequence[Message]
    parameters: Mapping[str, Any]

    @property
    def stops(self) -> Sequence[str]:
        """The stop strings among the parameters."""
        stop = self.parameters.get("stop") or ()
        return (stop,) if isinstance(stop, str) else tuple(stop)

    @property
    def prompt_tokens(self) -> int:
        """The estimated number of tokens of the conversation."""
        return _tokens(message["content"] for message in self.messages)

    @property
    def tokens(self) -> int:
        """The estimated number of tokens that the question takes at most, with its answer."""
        limits = (self.parameters.get(name) for name in ("max_completion_tokens", "max_tokens"))
        return self.prompt_tokens + int(next((limit for limit in limits if limit), 0))


class LlmBatch:
    """A batch of questions to a model behind an OpenAI-compatible API.

    Args:
        endpoint: The endpoint that the questions go to.
        settings: The model, and the limits that hold for each batch.
        limits: The limits that hold for all batches of the process.
        attempts: The attempts at each request, which know whether the server has answered any.
        refused: The parameters that the model refuses, and that are not sent; grows as it does.
        done: A function that is called with each call and its reply, as the reply comes.

    Attributes:
        stopped: The reason why nothing more can be asked; None while questions can be asked.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: LlmSettings,
        limits: Limits,
        attempts: Attempts,
        refused: set[str],
        done: Callable[[ChatCall, LlmReply], None],
    ) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._limits = limits
        self._attempts = attempts
        self._refused = refused
        self._done = done
        self.stopped: str | None = None
        self._waiting: set[CancelScope] = set()

    async def ask(self, calls: Sequence[ChatCall], first_alone: bool) -> None:
        """Ask until every call has its reply, or until nothing more can be asked.

        Args:
            calls: The questions, at least one.
            first_alone: Whether the first question is asked by itself, so that a wrong key, an
                unknown model or an absent server shows before the second call.
        """
        from anyio import Semaphore, create_task_group

        try:
            opened = _client(self._endpoint, self._settings)
        except Exception as error:  # a proxy or a certificate file that the environment names
            self.stopped = failure_of(error, self._endpoint).text
            return
        slots = Semaphore(self._settings.max_concurrency)
        async with opened as client, create_task_group() as group:
            create = client.chat.completions.with_raw_response.create
            rest = calls
            if first_alone:
                await self._answer(create, calls[0], slots, True)
                rest = calls[1:]
            for call in rest:
                group.start_soon(self._answer, create, call, slots, False)

    async def _answer(
        self,
        create: Create,
        call: ChatCall,
        slots: AbstractAsyncContextManager[Any],
        is_first: bool,
    ) -> None:
        from anyio import CancelScope

        async with slots:
            if self.stopped is not None:
                return
            with CancelScope() as scope:
                self._waiting.add(scope)
                reply = await self._attempts.make(partial(self._attempt, create, call, scope))
            self._waiting.discard(scope)
            if scope.cancelled_caught:
                return
            if isinstance(reply, Failure):
                if reply.is_fatal or (is_first and reply.is_unreached):
                    self._stop(reply.text)
                    return
                reply = LlmReply(error=reply.text)
        self._done(call, reply)

    def _stop(self, why: str) -> None:
        """End the asking: who waits is sent away, and what is on its way has its answer."""
        self.stopped = why
        for scope in self._waiting:
            scope.cancel()

    async def _attempt(self, create: Create, call: ChatCall, scope: CancelScope) -> LlmReply:
        """Send a question once, and read the answer.

        Args:
            create: The package's call.
            call: The question.
            scope: The scope that ends the waiting of this question; not its request.
        """
        from anyio import fail_after

        await self._limits.turn(call.tokens)
        if self._limits.budget.is_spent:
            return LlmReply(error=self._limits.budget.refusal, cost_usd=0.0)
        sent = without(call.parameters, self._refused)
        start = time.monotonic()
        # The package's own timeout is for each read: a body that trickles would never meet it.
        self._waiting.discard(scope)
        try:
            with fail_after(self._settings.timeout_s):
                # The body is read here rather than by the package: servers differ in what they
                # leave out, and a missing field is not a reason to lose an answer.
                raw = await create(
                    model=self._settings.name,
                    messages=list(call.messages),
                    extra_body=sent,
                )
        except Exception as error:
            if self.stopped is not None:
                scope.cancel()
            self._waiting.add(scope)
            if not self._has_learned(error, sent):
                raise
            return await self._attempt(create, call, scope)
        latency_s = time.monotonic() - start
        return self._read(call, self._endpoint.without_key(raw.text), latency_s)

    def _has_learned(self, error: Exception, sent: Mapping[str, Any]) -> bool:
        """Return whether a parameter was refused that is left out from now on."""
        name = refused_parameter(error, sent)
        if name is None:
            return False
        if name not in self._refused:
            logger.warning(
                "%s refuses the parameter %s, which is left out from now on: %s",
                self._settings.name,
                name,
                failure_of(error, self._endpoint).text,
            )
            self._refused.add(name)
        return True

    def _read(self, call: ChatCall, text: str, latency_s: float) -> LlmReply:
        # Stop strings that the server does not know end the answer here.
        stops = call.stops if "stop" in self._refused else ()
        body = read_paid_body(text, self._settings, self._limits.budget, stops)
        cost = self._settings.cost_usd(body.prompt_tokens, body.completion_tokens)
        estimate = self._settings.cost_usd(call.prompt_tokens, _tokens([body.text or ""]))
        # A server that counts no tokens must not make the limit void.
        self._limits.budget.spend(estimate if cost is None else cost)
        return LlmReply(
            text=body.text,
            error=body.error,
            prompt_tokens=body.prompt_tokens,
            completion_tokens=body.completion_tokens,
            cost_usd=cost,
            latency_s=round(latency_s, 4),
            finish_reason=body.finish_reason,
            logprobs=body.logprobs,
        )


def _tokens(texts: Iterable[str]) -> int:
    return estimated_tokens(sum(map(len, texts)))


def _client(endpoint: Endpoint, settings: LlmSettings) -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=endpoint.key,
        base_url=endpoint.address,
        default_query=endpoint.query,
        default_headers=endpoint.headers,
        timeout=settings.timeout_s,
        max_retries=0,
    )
