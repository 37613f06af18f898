"""The requests of a proxy: let in, routed, answered, and counted."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from slmroute_plugin.observation import Answer
from slmroute_plugin.serving import completion as slm_body
from slmroute_plugin.serving.api_error import ApiError
from slmroute_plugin.serving.chat_request import ChatRequest, Defaults, Target, read_chat_request
from slmroute_plugin.serving.event_response import EventResponse, LlmEvents, SlmEvents
from slmroute_plugin.serving.llm_stream import LlmStream
from slmroute_plugin.serving.outcome import CANCELLED, Outcome
from slmroute_plugin.serving.router import LLM_FAILED, Decided, Routed, Router

logger = logging.getLogger(__name__)

T = TypeVar("T")
_BUSY_WAIT_S = 1
_BODY_TIMEOUT_S = 30


@dataclass(frozen=True)
class ProxyLimits:
    """What the proxy takes on.

    Attributes:
        most_pending: The number of requests at work at the same time; a further one is refused.
        most_bytes: The size of a request's body.
        key: The key that clients must send; None if none is asked for.
    """

    most_pending: int = 256
    most_bytes: int = 4 * 2**20
    key: str | None = field(default=None, repr=False)


class Proxy:
    """The requests of one proxy: let in, routed, answered, and counted.

    Args:
        router: The two models and the threshold.
        defaults: What holds where a request does not say.
        limits: What the proxy takes on.
        slm_name: The name of the SLM.
    """

    def __init__(
        self, router: Router, defaults: Defaults, limits: ProxyLimits, slm_name: str
    ) -> None:
        self.router = router
        self._defaults = defaults
        self._limits = limits
        self._slm_name = slm_name
        self._pending = 0
        self.targets: Mapping[str, Target] = {
            f"slmroute/{router.rule.name}": "route",
            "slmroute/slm": "slm",
            "slmroute/llm": "llm",
        }

    def check_key(self, request: Request) -> None:
        """Check the key of a client.

        Raises:
            ApiError: If a key is asked for, and the client has another one or none.
        """
        if self._limits.key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode(), self._limits.key.encode()):
            raise ApiError(401, "This key is not the proxy's.", code="invalid_api_key")

    async def chat(self, request: Request) -> Response:
        """Answer a request for a chat completion.

        Raises:
            ApiError: If there is no answer.
            ClientGone: If the client has gone.
        """
        if self._pending >= self._limits.most_pending:
            self.router.metrics.refused.inc()
            raise ApiError(
                429, "Too many requests are at work.", "rate_limit_error", "proxy_busy",
                retry_after_s=_BUSY_WAIT_S,
            )  # fmt: skip
        self._pending += 1
        self.router.metrics.pending.inc()
        is_streaming = False
        try:
            asked = read_chat_request(
                await self._body(request),
                request.headers.get("x-slmroute-force"),
                self.targets,
                self._defaults,
            )
            response = await self._answered(request, asked)
            is_streaming = isinstance(response, EventResponse)
            return response
        finally:
            if not is_streaming:  # a stream counts until its end
                self._leave()

    def _leave(self) -> None:
        self._pending -= 1
        self.router.metrics.pending.dec()

    async def _body(self, request: Request) -> bytes:
        """Read the body of a request.

        Raises:
            ApiError: If it is larger than it may be, or if it does not come.
            ClientGone: If the client has gone before its end.
        """
        try:
            return await asyncio.wait_for(self._whole_body(request), _BODY_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise ApiError(408, f"The body did not come within {_BODY_TIMEOUT_S} s.") from None
        except ClientDisconnect:
            raise ClientGone("the client has gone") from None

    async def _whole_body(self, request: Request) -> bytes:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._limits.most_bytes:
                raise ApiError(
                    413, f"The body is larger than {self._limits.most_bytes} bytes.",
                    code="request_too_large",
                )  # fmt: skip
        return bytes(body)

    async def _answered(self, request: Request, asked: ChatRequest) -> Response:
        """Route a request, and make the response.

        Raises:
            ApiError: If there is no answer.
            ClientGone: If the client has gone.
        """
        request_id = uuid.uuid4().hex
        outcome = Outcome(self.router, request_id, time.monotonic())
        try:
            routed = await _unless_gone(request, self.router.route(asked, request_id))
        except ApiError as error:
            error.request_id = request_id
            outcome.end("none", error.status, error.message)
            raise
        except (ClientGone, asyncio.CancelledError) as error:
            outcome.end("none", CANCELLED, str(error) or "the proxy ended")
            raise
        except Exception as error:
            logger.exception("a request failed")
            outcome.end("none", 500, type(error).__name__)
            failed = ApiError(500, "The proxy failed; its log says why.", "api_error")
            failed.request_id = request_id
            raise failed from error
        return self._response(routed, asked, outcome)

    def _response(self, routed: Routed, asked: ChatRequest, outcome: Outcome) -> Response:
        """Make the response of an answer; a stream ends its request itself."""
        headers = self._headers(routed.decided, outcome.request_id)
        content, decided = routed.content, routed.decided
        failed = decided.why if decided.reason == LLM_FAILED else None
        if isinstance(content, LlmStream):
            return EventResponse(LlmEvents(content), outcome, headers, self._leave)
        if not isinstance(content, Answer):
            outcome.end("llm", 200, None, 0.0 if content.cached else content.cost_usd)
            return Response(content.body, headers=headers, media_type="application/json")
        made = (content, outcome.request_id, self._slm_name, asked.generation)
        if asked.stream:
            events = slm_body.events(*made, include_usage=asked.include_usage)
            return EventResponse(SlmEvents(events, failed), outcome, headers, self._leave)
        outcome.end("slm", 200, failed, routed.lost_usd)
        return JSONResponse(slm_body.completion(*made), headers=headers)

    def _headers(self, decided: Decided, request_id: str) -> dict[str, str]:
        rule = self.router.rule
        name = self._slm_name if decided.model == "slm" else self.router.llm.name
        values = {
            "decision": decided.model,
            "reason": decided.reason,
            "method": rule.method,
            "threshold": str(rule.threshold),
            "confidence": "" if decided.confidence is None else repr(decided.confidence),
            "model": name,
            "request-id": request_id,
        }
        return {f"x-slmroute-{name}": _header_text(value) for name, value in values.items()}


def _header_text(value: str) -> str:
    """Return a text as a header can hold it: ASCII without line breaks."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in value)


class ClientGone(Exception):
    """An error for a client that has gone before its answer was there."""


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work, unless the client goes first.

    Raises:
        ClientGone: If the client has gone; the work is cancelled.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("the client has gone")
        return working.result()
    finally:
        watching.cancel()
        working.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
