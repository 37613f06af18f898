"""A real HTTP server on 127.0.0.1 that answers, or fails, as a test says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import Reply, Request
from slmroute_plugin.llm.settings import LlmSettings

Handler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]

MODEL = "gpt-4.1-mini"
KEY = "sk-canary-K3y0nlyF0rTheseTests"


def completion(text: Any, **changes: Any) -> dict[str, Any]:
    """The body of a chat completion; `message`, `usage` and fields of the choice can be changed."""
    body: dict[str, Any] = {"id": "1", "object": "chat.completion", "model": MODEL}
    body["usage"] = changes.pop("usage", {"prompt_tokens": 100, "completion_tokens": 50})
    message = {"role": "assistant", "content": text} | changes.pop("message", {})
    body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"} | changes]
    return body


class ScriptedServer:
    """An OpenAI-compatible server.

    Every question is answered with `answer to <question>`, unless it has faults: the first of
    them is used up by each request for it. What was asked is counted by question.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        self.bodies: list[dict[str, Any]] = []
        self.authorization: list[str | None] = []
        self.most_at_once = 0
        self.faults: dict[str, list[Handler]] = defaultdict(list)
        self.otherwise: Handler = self.body(None)
        self.is_hanging = threading.Event()
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = port
        self.url = f"http://127.0.0.1:{port}/v1"

    def stop(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def total(self) -> int:
        """How many requests came."""
        return sum(self.asked.values())

    @property
    def all_arrivals(self) -> list[float]:
        """When requests came, in order, by time.monotonic."""
        return sorted(one for several in self.arrivals.values() for one in several)

    async def _listen(self) -> int:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=2048)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        now = time.monotonic()
        body = await request.json()
        question = body["messages"][-1]["content"]
        self.asked[question] += 1
        self.arrivals[question].append(now)
        self.bodies.append(body)
        self.authorization.append(request.headers.get("Authorization"))
        faults = self.faults[question]
        handler = faults.pop(0) if faults else self.otherwise
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await handler(request, question)
        finally:
            self._at_once -= 1

    def body(self, body: Any, after_s: float = 0.0) -> Handler:
        """Answers with a JSON body; None stands for the usual answer."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            await asyncio.sleep(after_s)
            usual = completion(f"answer to {question}")
            return web.json_response(usual if body is None else body)

        return handle

    def raw(self, text: str) -> Handler:
        """Answers 200 with this text."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            return web.Response(text=text, content_type="application/json")

        return handle

    def status(
        self, status: int, error: Any = None, headers: dict[str, str] | None = None
    ) -> Handler:
        """Answers with an HTTP error."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            body = {"error": {"message": f"status {status}"} if error is None else error}
            return web.json_response(body, status=status, headers=headers)

        return handle

    def hang(self) -> Handler:
        """Never answers."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            self.is_hanging.set()
            await asyncio.sleep(3600)
            raise AssertionError

        return handle

    def trickle(self) -> Handler:
        """Answers a blank every tenth of a second, without end."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.1)

        return handle

    def cut(self, sent: bytes = b"") -> Handler:
        """Cuts the connection, before or within the answer."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            transport = request.transport
            assert transport is not None
            if sent:
                transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + sent)
                await asyncio.sleep(0.01)
            transport.close()
            return web.Response()

        return handle


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that listens; a key for it is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    scripted = ScriptedServer()
    scripted.start()
    yield scripted
    scripted.stop()


@pytest.fixture(name="completion")
def completion_fixture() -> Callable[..., dict[str, Any]]:
    """Makes the body of a chat completion."""
    return completion


@pytest.fixture
def canary() -> str:
    """The key that is in the environment beside `server`."""
    return KEY


@pytest.fixture
def llm(server: ScriptedServer, tmp_path: Path) -> Callable[..., OpenAiLlm]:
    """Makes clients of the server, by settings; they wait briefly and share a cache."""

    def make(back_off_s: float = 0.001, **settings: Any) -> OpenAiLlm:
        given = {"model": MODEL, "base_url": server.url} | settings
        return OpenAiLlm(LlmSettings(**given), tmp_path, back_off_s=back_off_s)

    return make


def questions(number: int) -> list[Request]:
    """That many questions, `question 0`, `question 1`, …"""
    return [
        Request([{"role": "user", "content": f"question {one}"}], {"temperature": 0.0})
        for one in range(number)
    ]


@pytest.fixture(name="questions")
def questions_fixture() -> Callable[[int], list[Request]]:
    """Makes that many questions."""
    return questions


@pytest.fixture
def assert_in_order() -> Callable[[Sequence[Reply]], None]:
    """Asserts that reply number i answers question number i, or has an error instead."""

    def check(replies: Sequence[Reply]) -> None:
        for one, reply in enumerate(replies):
            assert (reply.text is None) != (reply.error is None)
            assert reply.error is not None or reply.text == f"answer to question {one}"

    return check
