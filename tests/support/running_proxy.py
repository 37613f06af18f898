"""A proxy on a port of its own, in a thread, between two scripted models."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from aiohttp import web
from real_server import free_port
from scripted_server import ScriptedServer, completion

from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.serving.chat_request import Defaults
from slmroute_plugin.serving.opened_proxy import ProxySettings, opened_proxy
from slmroute_plugin.serving.proxy_app import proxy_app
from slmroute_plugin.serving.slm_model import SlmChoice
from slmroute_plugin.serving.threshold_rule import ThresholdRule

NAME = "perplexity.half"
ROUTE = f"slmroute/{NAME}"
LLM = "gpt-4.1-mini"


def write_threshold(folder: Path, threshold: Any = 0.5, **changes: Any) -> Path:
    """Write a threshold file."""
    content = {"threshold": threshold, "method": "perplexity", "slm": "tiny", "llm": LLM}
    path = folder / f"{NAME}.json"
    path.write_text(json.dumps(content | changes))
    return path


def slm_answers(confidence: Callable[[str], float | None]) -> Any:
    """Answers as an SLM whose perplexity is what a function says of the question."""

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        value = confidence(question)
        token = {"token": "small", "logprob": math.log(value or 1.0), "top_logprobs": []}
        logprobs = None if value is None else {"content": [token]}
        return web.json_response(completion("small", logprobs=logprobs))

    return handle


def sure_if_easy(question: str) -> float | None:
    """The confidence of a scripted SLM: 0.9, 0.2 for what is hard, none for what is strange."""
    if "strange" in question:
        return None
    return 0.2 if "hard" in question else 0.9


def llm_answers(words: int = 3, breaks_after: int | None = None, pause_s: float = 0.0) -> Any:
    """Answers as an LLM that streams where it is asked to; it may break off."""

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        body = await request.json()
        if not body.get("stream"):
            usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
            whole = completion(f"large: {question}", usage=usage)
            return web.json_response({**whole, "created": 1})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)

        async def send(delta: Any, finish: str | None = None, **further: Any) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": LLM}
            data = json.dumps(event | {"choices": [choice]} | further)
            await response.write(f"data: {data}\n\n".encode())

        for word in range(words):
            if word == breaks_after:
                assert request.transport is not None
                request.transport.close()
                return response
            await send({"content": f"large{word} "})
            await asyncio.sleep(pause_s)
        await send({}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response

    return handle


class RunningProxy:
    """A proxy that listens.

    Attributes:
        url: The base URL of its API.
        log: Its file of decisions.
    """

    def __init__(self, port: int, log: Path) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        self.log = log

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind in the log."""
        lines = self.log.read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def wait_for(self, kind: str, number: int = 1) -> list[dict[str, Any]]:
        """The events of one kind, once there are so many."""
        until = time.monotonic() + 30
        while len(events := self.events(kind)) < number:
            assert time.monotonic() < until, events
            time.sleep(0.01)
        return events


@contextmanager
def running_proxy(
    folder: Path,
    choice: SlmChoice,
    llm: dict[str, Any],
    threshold: Any = 0.5,
    lm: Any = None,
    method: str = "perplexity",
    **settings: Any,
) -> Iterator[RunningProxy]:
    """Run a proxy for the time of the block.

    Args:
        folder: For the threshold file and the log.
        choice: The SLM.
        llm: Settings of the LLM.
        threshold: The threshold.
        lm: The SLM itself, if it is there already.
        method: The method that decides.
        settings: Further settings of the proxy.
    """
    rule = ThresholdRule.read(write_threshold(folder, threshold, method=method))
    lm = lm if lm is not None else choice.load()
    assessor = choice.assessor(lm, [rule.method])
    log = folder / "decisions.jsonl"
    given = {
        "llm": LlmSettings(**({"model": LLM, "cache": None, "max_attempts": 1} | llm)),
        "defaults": Defaults(16),
        "log": log,
        "facts": choice.facts,
    } | settings
    app = proxy_app(lambda: opened_proxy(rule, lm, assessor, ProxySettings(**given)))
    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive() and time.monotonic() < until
            time.sleep(0.01)
        yield RunningProxy(port, log)
    finally:
        server.should_exit = True
        thread.join(30)


def slm_of(server: ScriptedServer) -> SlmChoice:
    """The choice of a scripted server as the SLM."""
    return SlmChoice(server.url, "model=tiny")
