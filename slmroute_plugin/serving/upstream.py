"""The LLM as the proxy asks it: requests go on untouched, within limits, and answers come back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from slmroute_plugin.llm.cache import AnswerCache, cache_key
from slmroute_plugin.llm.endpoint_from_environment import base_url, endpoint
from slmroute_plugin.llm.exchange import LlmError, LlmReply
from slmroute_plugin.llm.limits import Budget, Limits, Pace
from slmroute_plugin.llm.paid_body import read_paid_body
from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.openai_protocol.answer_text import mapping
from slmroute_plugin.openai_protocol.attempts import Attempts
from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.event_lines import event_lines
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.openai_protocol.posting import Poster, posting
from slmroute_plugin.serving.api_error import ApiError
from slmroute_plugin.serving.llm_stream import LlmStream, beginning

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Statuses that are about the client's request: the client gets them as they are.
_OF_THE_REQUEST = frozenset({400, 413, 422})
_BUSY = 429
_BUSY_WAIT_S = 1
BACK_OFF_S = 0.2
# A client waits, and there is another answer for it.
_LONGEST_WAIT_S = 2.0
# Of an image or a sound; models differ widely.
_TOKENS_OF_A_PART = 1000


class UpstreamError(Exception):
    """An error for a request that the LLM did not answer.

    Args:
        failure: What failed, without a key.
        status: The HTTP status that the LLM's server answered with; None for no answer.
        cost_usd: The dollars of an answer that has no text; None if they are not known.
    """

    def __init__(
        self, failure: Failure, status: int | None = None, cost_usd: float | None = None
    ) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.status = status
        self.cost_usd = cost_usd

    def for_client(self, name: str) -> ApiError:
        """Return the error for a client, who has no other answer.

        Args:
            name: The name of the LLM.
        """
        text = f"{name} did not answer: {self.failure.text}"
        if self.status in _OF_THE_REQUEST:
            return ApiError(self.status or 400, text, code="llm_refused")
        if self.status == _BUSY:
            wait_s = self.failure.retry_after_s
            return ApiError(
                _BUSY, text, "rate_limit_error", "llm_busy",
                retry_after_s=_BUSY_WAIT_S if wait_s is None else int(wait_s) + 1,
            )  # fmt: skip
        return ApiError(502, text, "api_error", "llm_unavailable")


class LlmAnswer(NamedTuple):
    """An answer of the LLM.

    Attributes:
        body: The response's body, as text.
        text: The text of the answer; None if it has none, as with a call of a tool.
        cost_usd: The price in dollars; None if it is not known.
        cached: Whether nothing was asked.
        why_no_text: Why there is no text, if there is none.
    """

    body: str
    text: str | None
    cost_usd: float | None
    cached: bool = False
    why_no_text: str | None = None

    def with_text(self) -> LlmAnswer:
        """Return the answer, which has a text.

        Raises:
            UpstreamError: If it has none.
        """
        if self.text is None:
            failure = Failure(self.why_no_text or "the answer has no text")
            raise UpstreamError(failure, cost_usd=self.cost_usd)
        return self


class LlmUpstream:
    """The LLM behind an OpenAI-compatible API, on one client, within the limits of its settings.

    Args:
        settings: The model, its address, and the limits.
        poster: The poster of requests.
        where: The endpoint, with the key.
        cache: The cache of answers.
    """

    def __init__(
        self, settings: LlmSettings, poster: Poster, where: Endpoint, cache: AnswerCache
    ) -> None:
        from anyio import Semaphore

        self.name = settings.name
        self._settings = settings
        self._poster = poster
        self._where = where
        self._url = where.url_of("/chat/completions")
        self._cache = cache
        self._limits = Limits(
            Budget(settings.max_cost_usd),
            Pace(settings.requests_per_minute),
            Pace(settings.tokens_per_minute),
        )
        self._slots = Semaphore(settings.max_concurrency)
        self._attempts = Attempts(
            where, settings.max_attempts, BACK_OFF_S, longest_wait_s=_LONGEST_WAIT_S
        )

    def part_of_budget(self, limit_usd: float | None) -> Budget:
        """Return a budget within the LLM's own."""
        return Budget(limit_usd, self._limits.budget)

    async def complete(self, body: Mapping[str, Any], budget: Budget | None = None) -> LlmAnswer:
        """Answer a request, without a stream.

        Args:
            body: The client's body.
            budget: A part of the LLM's budget that the attempts count towards; None for none.

        Raises:
            UpstreamError: If there is no answer.
        """
        sent, budget = self._sent(body), budget or self._limits.budget
        key = cache_key(self._where.url, self.name, [], sent)
        # An answer that is drawn is to be drawn anew.
        keeps = sent.get("temperature") == 0
        if keeps and (kept := self._kept(key)) is not None:
            return self._read(kept, budget)._replace(cached=True)
        async with self._slots:
            answer = await self._made(partial(self._completed, sent, budget))
        if keeps and answer.text is not None:
            self._cache.put(key, self.name, LlmReply(text=answer.body, cost_usd=answer.cost_usd))
        return answer

    def _kept(self, key: str) -> str | None:
        """Return the body of a response that is on disk; None if there is none to be read."""
        try:
            kept = self._cache.get(key)
        except LlmError as error:  # the LLM is there
            logger.warning("%s", error)
            return None
        return None if kept is None else kept.text

    async def stream(self, body: Mapping[str, Any]) -> LlmStream:
        """Open a stream, and return it once its first event is there.

        Raises:
            UpstreamError: If no stream begins.
        """
        sent = {**self._sent(body), "stream": True}
        stack = AsyncExitStack()
        await stack.enter_async_context(self._slots)
        try:
            return await self._made(partial(self._opened, sent, stack))
        except BaseException:
            await stack.aclose()
            raise

    def _sent(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request for the LLM: the client's, with another model and our settings."""
        sent = {**body, "model": self.name, **self._settings.generation}
        return {name: value for name, value in sent.items() if value is not None}

    async def _made(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make attempts at a request, and return its result.

        Raises:
            UpstreamError: If all of them failed.
        """
        statuses: list[int] = []

        async def noting_status() -> T | Failure:
            try:
                return await attempt()
            except _Refused as error:
                return Failure(str(error))
            except Exception as error:
                if isinstance(status := getattr(error, "status_code", None), int):
                    statuses.append(status)
                raise

        result = await self._attempts.make(noting_status)
        if isinstance(result, Failure):
            raise UpstreamError(result, statuses[-1] if statuses else None)
        return result

    async def _let_through(self, sent: Mapping[str, Any]) -> None:
        """Wait for the limits.

        Raises:
            _Refused: If the budget is spent.
        """
        # Servers allow no request of more than a minute's tokens, whatever its client writes.
        most = self._settings.tokens_per_minute or 0.0
        await self._limits.turn(min(_prompt_tokens(sent) + _answer_tokens(sent), most))
        if self._limits.budget.is_spent:
            raise _Refused(self._limits.budget.refusal)

    async def _completed(self, sent: Mapping[str, Any], budget: Budget) -> LlmAnswer:
        from anyio import fail_after

        await self._let_through(sent)
        with fail_after(self._settings.timeout_s):
            raw = await self._poster.text(self._url, sent)
        answer = self._read(self._where.without_key(raw), budget)
        estimate = self._settings.cost_usd(
            _prompt_tokens(sent), estimated_tokens(len(answer.text or ""))
        )
        budget.spend(estimate if answer.cost_usd is None else answer.cost_usd)
        return answer

    def _read(self, raw: str, budget: Budget) -> LlmAnswer:
        """Read a response.

        Raises:
            BadBody: If it is not a completion.
        """
        body = read_paid_body(raw, self._settings, budget)
        cost = self._settings.cost_usd(body.prompt_tokens, body.completion_tokens)
        return LlmAnswer(raw, body.text, cost, why_no_text=body.error)

    async def _opened(self, sent: Mapping[str, Any], stack: AsyncExitStack) -> LlmStream:
        from anyio import fail_after

        await self._let_through(sent)
        async with AsyncExitStack() as attempt:
            within_s = self._settings.timeout_s
            with fail_after(within_s):
                opened = self._poster.parts(self._url, sent, within_s)
                lines = event_lines(await attempt.enter_async_context(opened))
                begun = await beginning(lines)
            stack.push_async_exit(attempt.pop_all())
        stream = LlmStream(begun, lines, self._where, stack)
        stream.on_end = partial(self._paid, sent, stream)
        return stream

    def _paid(self, sent: Mapping[str, Any], stream: LlmStream) -> float | None:
        """Count what a stream cost; return it, None if the server told no tokens."""
        cost = self._settings.cost_usd(stream.prompt_tokens, stream.completion_tokens)
        estimate = self._settings.cost_usd(_prompt_tokens(sent), estimated_tokens(stream.letters))
        self._limits.budget.spend(estimate if cost is None else cost)
        return cost


def _prompt_tokens(sent: Mapping[str, Any]) -> int:
    """Estimate the tokens of a prompt by its texts; images and sounds count as a thousand each."""
    tokens = 0
    messages = sent.get("messages")
    for message in map(mapping, messages if isinstance(messages, list) else []):
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content or ""}]
        for text in (mapping(part).get("text") for part in parts):
            if isinstance(text, str):
                tokens += estimated_tokens(len(text))
            else:
                tokens += _TOKENS_OF_A_PART
    return tokens


def _answer_tokens(sent: Mapping[str, Any]) -> int:
    """Return the largest number of tokens of an answer; 0 if the request has no limit."""
    limits = (sent.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((limit for limit in limits if isinstance(limit, int)), 0)


class _Refused(Exception):
    """An error for a request that another attempt would not help."""


@asynccontextmanager
async def llm_upstream(settings: LlmSettings, results: Path) -> AsyncIterator[LlmUpstream]:
    """Open a client of the LLM for the time of the block.

    Args:
        settings: The model, its address, and the limits.
        results: The folder that a relative path of the cache starts from.

    Raises:
        LlmError: If there is no key where one is needed, or if the cache cannot be used.
    """
    where = endpoint(base_url(settings.base_url), settings.api_key_env)
    path = None if settings.cache is None else results / settings.cache
    headers = {"Authorization": f"Bearer {where.key}", **where.headers}
    with AnswerCache(path) as cache:
        async with posting(headers) as poster:
            yield LlmUpstream(settings, poster, where, cache)
