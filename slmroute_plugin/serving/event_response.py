"""A streamed response, whose end is noted however it comes about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from starlette.responses import StreamingResponse

from slmroute_plugin.serving.api_error import ApiError
from slmroute_plugin.serving.completion import DONE, sent
from slmroute_plugin.serving.llm_stream import LlmStream, StreamBroken
from slmroute_plugin.serving.outcome import CANCELLED, Outcome

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_GONE = "the client has gone"


class Events(Protocol):
    """A source of server-sent events that knows how it ended.

    Attributes:
        answered_by: The model whose answer it is.
        status: The status at the end, 499 until the last event. A client may go once it has
            that one, as OpenAI's does.
        fault: What went wrong; None if nothing did.
        cost_usd: The dollars of the LLM's answer, after `close`.
    """

    answered_by: str
    status: int
    fault: str | None
    cost_usd: float | None

    def lines(self) -> AsyncIterator[str]:
        """Yield the events."""

    async def close(self) -> None:
        """Close what is behind them."""


class SlmEvents:
    """The events of the SLM's answer.

    Args:
        events: The events.
        failed: Why the LLM has not answered, if it was to; None otherwise.
    """

    answered_by = "slm"

    def __init__(self, events: Iterable[str], failed: str | None) -> None:
        self._events = events
        self._failed = failed
        self.status = CANCELLED
        self.fault: str | None = _GONE
        self.cost_usd: float | None = None

    async def lines(self) -> AsyncIterator[str]:
        """Yield the events."""
        for event in self._events:
            if event == DONE:
                self.status, self.fault = 200, self._failed
            yield event

    async def close(self) -> None:
        """Do nothing: there is nothing behind them."""


class LlmEvents:
    """The events of the LLM's answer; if they break off, the last one says so.

    Args:
        stream: The LLM's stream.
    """

    answered_by = "llm"

    def __init__(self, stream: LlmStream) -> None:
        self._stream = stream
        self.status = CANCELLED
        self.fault: str | None = _GONE
        self.cost_usd: float | None = None

    async def lines(self) -> AsyncIterator[str]:
        """Yield the lines of the events."""
        try:
            async for line in self._stream.lines():
                if self._stream.broken_off is not None:  # a client goes at the event that says so
                    self.status, self.fault = 502, self._stream.broken_off
                elif self._stream.is_done:
                    self.status, self.fault = 200, None
                yield line
        except StreamBroken as error:
            self.status, self.fault = 502, f"the stream broke: {error}"
            broken = ApiError(502, "The LLM broke off its answer.", "api_error", "llm_broke_off")
            yield f"\n{sent(broken.body)}"
        else:
            if self._stream.broken_off is None:
                self.status, self.fault = 200, None

    async def close(self) -> None:
        """Close the connection, and take over the price."""
        await self._stream.close()
        self.cost_usd = self._stream.cost_usd


class EventResponse(StreamingResponse):
    """A response of server-sent events.

    Args:
        events: The events.
        outcome: The outcome of the request, which is noted at the end.
        headers: The headers.
        leave: A function that is called at the end.
    """

    def __init__(
        self,
        events: Events,
        outcome: Outcome,
        headers: Mapping[str, str],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(events.lines(), headers=dict(headers), media_type="text/event-stream")
        self._sent_events = events
        self._outcome = outcome
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and note the end: also of a client that was gone before the first."""
        from anyio import CancelScope

        events = self._sent_events
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await events.close()
            self._leave()
            self._outcome.end(events.answered_by, events.status, events.fault, events.cost_usd)
