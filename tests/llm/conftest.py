"""What tests of the LLM client share: a server that does as it is told, clients, questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripted_server import KEY, MODEL, ScriptedServer, completion

from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import LlmReply, LlmRequest
from slmroute_plugin.llm.settings import LlmSettings


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


def questions(number: int) -> list[LlmRequest]:
    """That many questions, `question 0`, `question 1`, …"""
    return [
        LlmRequest([{"role": "user", "content": f"question {one}"}], {"temperature": 0.0})
        for one in range(number)
    ]


@pytest.fixture(name="questions")
def questions_fixture() -> Callable[[int], list[LlmRequest]]:
    """Makes that many questions."""
    return questions


@pytest.fixture
def assert_in_order() -> Callable[[Sequence[LlmReply]], None]:
    """Asserts that reply number i answers question number i, or has an error instead."""

    def check(replies: Sequence[LlmReply]) -> None:
        for one, reply in enumerate(replies):
            assert (reply.text is None) != (reply.error is None)
            assert reply.error is not None or reply.text == f"answer to question {one}"

    return check
