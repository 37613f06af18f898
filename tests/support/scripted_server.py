"""A real HTTP server on 127.0.0.1 that answers, or fails, as a test says."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

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


def text_completion(text: Any, **changes: Any) -> dict[str, Any]:
    """The body of a completion; fields of the choice can be changed."""
    choice = {"index": 0, "text": text, "finish_reason": "stop"} | changes
    return {"id": "1", "object": "text_completion", "model": MODEL, "choices": [choice]}


def usual_answer(request: web.Request, text: str) -> dict[str, Any]:
    """The body with this answer, in the form that the path asks for."""
    make = completion if request.path.endswith("/chat/completions") else text_completion
    return make(text)


class ScriptedServer:
    """An OpenAI-compatible server.

    Every question is answered with `answer to <question>`, unless it has faults: the first of
    them is used up by each request for it. What was asked is counted by question.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
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

    async def _listen(self) -> int:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_post("/v1/completions", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=2048)
        await self._site.start()
        return int(self._runner.addresses[0][1])

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        said = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        # Prompts may come as tokens.
        question = said if isinstance(said, str) else str(said)
        self.asked[question] += 1
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

    async def unlisten(self) -> None:
        """Refuse further connections; to be awaited by a handler."""
        await self._site.stop()

    def body(self, body: Any, after_s: float = 0.0) -> Handler:
        """Answers with a JSON body; None stands for the usual answer."""

        async def handle(request: web.Request, question: str) -> web.StreamResponse:
            await asyncio.sleep(after_s)
            usual = usual_answer(request, f"answer to {question}")
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
