"""The server that a model is behind: where it is, and one request at a time, with attempts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit, urlunsplit

from slmroute_plugin.openai_protocol.attempts import Attempts
from slmroute_plugin.openai_protocol.bodies import parse_body
from slmroute_plugin.openai_protocol.endpoint import NO_KEY, Endpoint
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.openai_protocol.posting import Poster, posting

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
Measure: TypeAlias = Callable[[Any, float], None]


class ServerError(RuntimeError):
    """An error of a server that cannot be asked at all; its text says why."""


@dataclass(frozen=True)
class Server:
    """A server: where it is, and within which limits it is asked.

    Attributes:
        url: where requests are posted, as the user gave it.
        headers: sent with each; they hold the key.
        concurrency: requests at the same time.
        attempts: per request, the first included.
        timeout_s: seconds until an attempt is given up.
        verify: whether the server's certificate is checked, or the file of those to trust.
        back_off_s: scale of the waits between attempts, see `Failure.wait_s`.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    concurrency: int = 1
    attempts: int = 3
    timeout_s: float = 300.0
    verify: bool | str = True
    back_off_s: float = 0.5

    @classmethod
    def of(cls, lm: Any) -> Server:
        """Return the server of one of lm-eval's API models, with that model's limits.

        Raises:
            ValueError: lm-eval finds no key where one is needed.
        """
        return cls(
            url=lm.base_url,
            headers={name: str(value).strip() for name, value in lm.header.items()},
            concurrency=max(1, lm._concurrent),
            attempts=max(1, lm.max_retries),
            timeout_s=lm.timeout,
            verify=(lm.ca_cert_path or True) if lm.verify_certificate else False,
        )

    @property
    def name(self) -> str:
        """The URL without what may be secret in it: user, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def url_of(self, path: str) -> str:
        """Return the URL of another endpoint of the same server."""
        parts = urlsplit(self.url)
        base = parts.path.removesuffix("/completions").removesuffix("/chat")
        return urlunsplit(parts._replace(path=base + path))

    @property
    def key(self) -> str:
        """The secret among the headers, to be kept out of every text."""
        sent = {name.lower(): value for name, value in self.headers.items()}
        value = sent.get("authorization") or max(sent.values(), key=len, default="")
        return value.removeprefix("Bearer").strip() or NO_KEY

    @asynccontextmanager
    async def connect(self, *, has_answered: bool = False) -> AsyncIterator[Connection]:
        """Open a connection for the time of the block.

        Args:
            has_answered: whether the server has answered before, so that a refusal is about its
                question and not about the key or the model.
        """
        from anyio import Semaphore

        async with posting(self.sent_headers(), self._trusted()) as poster:
            yield Connection(self, poster, Semaphore(self.concurrency), has_answered)

    def _trusted(self) -> ssl.SSLContext | bool:
        verify = self.verify
        return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify

    def sent_headers(self) -> dict[str, str]:
        """Return the headers of each request: one without a key, as "Bearer" alone, is not sent."""
        return {name: value for name, value in self.headers.items() if value not in ("", "Bearer")}


class Connection:
    """A connection that posts requests, no more at once than the server's limit.

    Attributes:
        name: of the server, without what may be secret.
    """

    def __init__(
        self,
        server: Server,
        poster: Poster,
        slots: AbstractAsyncContextManager[Any],
        has_answered: bool,
    ) -> None:
        self.name = server.name
        self._server = server
        self._poster = poster
        self._slots = slots
        self._endpoint = Endpoint(server.name, server.key)
        self._attempts = Attempts(self._endpoint, server.attempts, server.back_off_s, has_answered)

    async def post(
        self,
        payload: Mapping[str, Any],
        read: Callable[[Any], T],
        measure: Measure = lambda body, seconds: None,
        path: str = "",
    ) -> T | Failure:
        """Post a request, and return what `read` makes of the body that comes back.

        Args:
            payload: the request.
            read: may raise `BadBody`, which is worth another attempt.
            measure: is told of the body that was read, and of the seconds that it took.
            path: of another of the server's endpoints, as `/completions`.
        """
        url = self._server.url_of(path) if path else self._server.url
        return await self._attempts.make(partial(self._attempt, url, payload, read, measure))

    async def _attempt(
        self, url: str, payload: Mapping[str, Any], read: Callable[[Any], T], measure: Measure
    ) -> T:
        from anyio import fail_after

        async with self._slots:
            started = monotonic()
            with fail_after(self._server.timeout_s):
                text = await self._poster.text(url, payload)
            seconds = monotonic() - started
            body = parse_body(self._endpoint.without_key(text))
            value = read(body)
            measure(body, seconds)
            return value
