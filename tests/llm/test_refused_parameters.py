"""Models that refuse a parameter, and servers whose URL has a query."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from llm_clients import Llm
from scripted_server import completion

from slmroute_plugin.llm.exchange import LlmRequest

PARAMETERS = {"temperature": 0.0, "stop": ["\n\n", "Q:"], "max_tokens": 50}


def requests(number: int, **changes: Any) -> list[LlmRequest]:
    return [
        LlmRequest([{"role": "user", "content": f"question {one}"}], {**PARAMETERS, **changes})
        for one in range(number)
    ]


def thinking_model(names: list[str]) -> Any:
    """A handler that refuses parameters as OpenAI's models that think do."""

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        body = await request.json()
        for name in names:
            if name in body:
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                error = {"message": message, "param": name, "code": "unsupported_parameter"}
                return web.json_response({"error": error}, status=400)
        return web.json_response(completion(f"answer to {question}\n\nQ: what next?"))

    return handle


@pytest.mark.parametrize("first", [True, False], ids=["from the start", "once it has answered"])
def test_what_is_refused_is_left_out_once_for_all_and_said(
    first: bool, server: Any, llm: Llm, caplog: pytest.LogCaptureFixture
) -> None:
    client = llm()
    if not first:
        client.ask(requests(1, stop=None), "an earlier task")
    before = server.total
    server.otherwise = thinking_model(["temperature", "stop", "max_tokens"])
    replies = client.ask(requests(12), "task")
    # Stop strings that are not sent end the answer all the same.
    expected = [f"answer to question {i}" for i in range(12)]
    assert [reply.text for reply in replies] == expected
    answered = [body for body in server.bodies[before:] if "max_completion_tokens" in body]
    assert not any(name in body for body in answered for name in PARAMETERS)
    assert {body["max_completion_tokens"] for body in answered} == {50}
    if first:
        assert server.total == 12 + 3
    for name in PARAMETERS:
        assert caplog.text.count(f"refuses the parameter {name}, which is left out") == 1
    total = server.total
    # The next task sends none of them, and what was asked before is on disk.
    client.ask(requests(13), "another task")
    assert server.total == total + 1
    assert all(reply.cached for reply in llm().ask(requests(12), "task"))


def test_other_refusals_are_the_questions_own(server: Any, llm: Llm) -> None:
    server.faults["question 3"] = [server.status(400, {"message": "'stop' words are too long"})]
    replies = llm().ask(requests(5), "task")
    assert [i for i, reply in enumerate(replies) if reply.error] == [3]
    assert server.total == 5


def test_a_query_goes_with_every_request_and_azure_gets_its_key_in_its_own_header(
    server: Any, llm: Llm, canary: str
) -> None:
    seen: list[tuple[str, dict[str, str], str | None]] = []

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        seen.append((request.path, dict(request.query), request.headers.get("api-key")))
        return web.json_response(completion(f"it is {canary}"))

    server.otherwise = handle
    replies = llm(base_url=f"{server.url}?api-version=2024-10-21").ask(requests(3), "task")
    assert seen == [("/v1/chat/completions", {"api-version": "2024-10-21"}, canary)] * 3
    assert [reply.text for reply in replies] == ["it is [key]"] * 3
