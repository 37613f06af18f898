"""Requests over HTTP with a body of JSON, of which the text that comes back is wanted."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_FIRST_ERROR = 400
# Uvicorn, and vLLM with it, closes what is idle for 5 s: a request must not meet that.
_KEPT_S = 4.0


class StatusError(Exception):
    """An error for a response whose HTTP status is one of failure.

    Its attributes have the names and meanings of those of `openai.APIStatusError`.

    Args:
        status: The HTTP status.
        text: The body of the response.
        headers: The headers of the response.
        reason: The words that the server says beside the status.

    Attributes:
        body: The JSON object that tells of the error, else the text of the body.
        code: The code in that object; None if there is none.
        type: The type in that object; None if there is none.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str], reason: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status_code = status
        self.headers = headers
        self.reason = reason
        self.body = _error_of(text)
        told = self.body if isinstance(self.body, dict) else {}
        self.code = told.get("code")
        self.type = told.get("type")


def _error_of(text: str) -> Any:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return body.get("error", body) if isinstance(body, dict) else body


class Poster:
    """A poster of JSON, with a pool of connections.

    Args:
        session: The session of aiohttp, which holds the pool.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def text(self, url: str, body: Mapping[str, Any]) -> str:
        """Post a body, and return the body of the response.

        Raises:
            StatusError: If the status is one of failure.
            aiohttp.ClientError: If the connection fails.
        """
        async with self._session.post(url, json=body) as response:
            return await _text(response)

    @asynccontextmanager
    async def parts(
        self, url: str, body: Mapping[str, Any], idle_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Post a body, and hand out the parts of the response as they come, for the block's time.

        Args:
            url: The URL.
            body: The body.
            idle_s: The seconds without a part after which TimeoutError is raised.

        Raises:
            StatusError: If the status is one of failure.
            aiohttp.ClientError: If the connection fails, then or as the parts come.
        """
        from aiohttp import ClientTimeout

        idle = ClientTimeout(total=None, sock_read=idle_s)
        async with self._session.post(url, json=body, timeout=idle) as response:
            if response.status >= _FIRST_ERROR:
                await _text(response)
            yield response.content.iter_any()


async def _text(response: ClientResponse) -> str:
    text = (await response.read()).decode(errors="replace")
    if response.status >= _FIRST_ERROR:
        raise StatusError(response.status, text, response.headers, response.reason or "")
    return text


@asynccontextmanager
async def posting(
    headers: Mapping[str, str], verify: ssl.SSLContext | bool = True
) -> AsyncIterator[Poster]:
    """Open a pool of connections for the time of the block.

    It has neither a limit nor a time-out: its user has both. Proxies come from the environment.

    Args:
        headers: The headers of each request.
        verify: Whether certificates are checked, or the context that checks them.
    """
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    session = ClientSession(
        headers=dict(headers),
        connector=TCPConnector(limit=0, ssl=verify, keepalive_timeout=_KEPT_S),
        timeout=ClientTimeout(total=None, sock_connect=None),
        cookie_jar=DummyCookieJar(),
        # Looked up anew for each request, in a thread: only where there are proxies at all.
        trust_env=bool(getproxies()),
    )
    async with session:
        yield Poster(session)
