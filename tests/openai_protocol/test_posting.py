"""Requests fail in the same way, whether they are posted or made with the package `openai`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from openai import AsyncOpenAI
from scripted_server import KEY, ScriptedServer

from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.failures import Failure, failure_of
from slmroute_plugin.openai_protocol.posting import posting

BODY = {"model": "m", "messages": [{"role": "user", "content": "half a pair: \ud800, ü"}]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


async def posted(url: str, headers: dict[str, str]) -> str:
    async with posting(headers) as poster:
        return await poster.text(url, BODY)


async def with_openai(url: str) -> str:
    whole = {"messages": [{"role": "user", "content": "a question"}]}
    async with AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0) as client:
        return await client.post(url, body=whole, cast_to=str)


def failure(work: Any, url: str) -> Failure:
    with pytest.raises(Exception) as raised:
        asyncio.run(work)
    return failure_of(raised.value, Endpoint(url, KEY))


FAULTS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "a message": (500, {"message": f"no {KEY}", "code": "x", "type": "y"}, {}),
    "a text": (503, "busy", {"retry-after": "7"}),
    "too long a wait": (429, {"message": "slow"}, {"retry-after": "7000"}),
    "no money": (429, {"message": "pay", "code": "insufficient_quota"}, {}),
    "a wrong key": (401, {"message": "who", "code": "invalid_api_key"}, {}),
    "a question that is not allowed": (403, {"message": "flagged by moderation"}, {}),
    "a detail": (422, {"detail": [{"msg": "bad"}]}, {}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_status_is_the_same_failure(server: ScriptedServer, fault: str) -> None:
    status, error, headers = FAULTS[fault]
    server.otherwise = server.status(status, error, headers)
    url = f"{server.url}/chat/completions"
    own = failure(posted(url, {}), url)
    assert own == failure(with_openai(url), url)
    assert own.text.startswith(f"HTTP {status}: ")
    assert KEY not in own.text


@pytest.mark.parametrize("text", ["", "not JSON", "[1]", "{}", "null"])
def test_the_body_of_an_error_may_be_anything(server: ScriptedServer, text: str) -> None:
    url = f"{server.url}/chat/completions"

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        return web.Response(status=500, text=text)

    server.otherwise = handle
    assert failure(posted(url, {}), url).text.startswith("HTTP 500: ")


def test_a_cut_connection_and_no_server_are_told_apart(server: ScriptedServer) -> None:
    url = f"{server.url}/chat/completions"
    server.otherwise = server.cut()
    broken = failure(posted(url, {}), url)
    assert broken.text.startswith("the connection broke (")
    server.otherwise = server.cut(b'{"choices":')
    assert failure(posted(url, {}), url).text.startswith("the connection broke (")
    nowhere = "http://127.0.0.1:9/v1/chat/completions"
    unreached = failure(posted(nowhere, {}), nowhere)
    assert unreached.text.startswith("the server cannot be reached (")
    assert [each.is_unreached for each in (broken, unreached)] == [False, True]
    assert broken.may_pass and unreached.may_pass


def test_a_failed_connection_does_not_tell_the_address(server: ScriptedServer) -> None:
    async def garbage(request: web.Request, question: str) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"what is HTTP?\r\n\r\n")
        request.transport.close()
        return web.Response()

    server.otherwise = garbage
    for url, words in (
        ("http://127.0.0.1:9/v1/chat/completions", "Connection refused"),
        ("http://nowhere.invalid:9/v1/chat/completions", ""),
        (f"{server.url}/chat/completions", "connection broke"),
    ):
        text = failure(posted(url, {}), url).text
        assert words in text
        assert not any(part in text for part in ("127.0.0.1", "nowhere", str(server.port))), text


def test_headers_and_any_text_arrive(server: ScriptedServer) -> None:
    url = f"{server.url}/chat/completions"
    text = asyncio.run(posted(url, {"Authorization": "Bearer one"}))
    assert "answer to" in text
    assert server.authorization == ["Bearer one"]
    assert server.bodies == [BODY]


def test_a_proxy_of_the_environment_is_used(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    text = asyncio.run(posted("http://elsewhere.invalid/v1/chat/completions", {}))
    assert "answer to" in text


def test_certificates_are_checked(server: ScriptedServer) -> None:
    url = f"https://127.0.0.1:{server.port}/v1/chat/completions"
    assert failure(posted(url, {}), url).is_unreached
