"""Two scripted models, and a proxy between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from running_proxy import (
    RunningProxy,
    llm_answers,
    running_proxy,
    slm_answers,
    slm_of,
    sure_if_easy,
)
from scripted_server import KEY, ScriptedServer


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ScriptedServer, ScriptedServer]]:
    """An SLM that is sure of what is easy, and an LLM; a key for both is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    slm, llm = ScriptedServer(), ScriptedServer()
    for each in (slm, llm):
        each.start()
    slm.otherwise, llm.otherwise = slm_answers(sure_if_easy), llm_answers()
    yield slm, llm
    for each in (slm, llm):
        each.stop()


@pytest.fixture
def slm(servers: tuple[ScriptedServer, ScriptedServer]) -> ScriptedServer:
    """The SLM's server."""
    return servers[0]


@pytest.fixture
def llm(servers: tuple[ScriptedServer, ScriptedServer]) -> ScriptedServer:
    """The LLM's server."""
    return servers[1]


@pytest.fixture
def start(
    slm: ScriptedServer, llm: ScriptedServer, tmp_path: Path
) -> Iterator[Callable[..., RunningProxy]]:
    """Starts a proxy between the two servers, with further settings."""
    with ExitStack() as stack:

        def started(of_llm: dict[str, Any] | None = None, **settings: Any) -> RunningProxy:
            choice = settings.pop("choice", slm_of(slm))
            given = {"base_url": llm.url} | (of_llm or {})
            return stack.enter_context(running_proxy(tmp_path, choice, given, **settings))

        yield started


@pytest.fixture
def client(start: Callable[..., RunningProxy]) -> Iterator[tuple[RunningProxy, OpenAI]]:
    """A proxy, and the official client of it."""
    proxy = start()
    with OpenAI(base_url=proxy.url, api_key="anything", max_retries=0) as opened:
        yield proxy, opened
