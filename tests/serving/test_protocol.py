"""The proxy as OpenAI's own client uses it: plain, asynchronous, and streaming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from running_proxy import LLM, ROUTE, RunningProxy
from scripted_server import ScriptedServer

Client = tuple[RunningProxy, OpenAI]


def ask(client: OpenAI, question: str, **how: Any) -> Any:
    """Ask a question; the response with its headers."""
    given = {"model": ROUTE, "messages": [{"role": "user", "content": question}]} | how
    return client.chat.completions.with_raw_response.create(**given)


def headers(response: Any) -> dict[str, str]:
    """The proxy's own headers, without their prefix and without the request's id."""
    names = [name for name in response.headers if name.startswith("x-slmroute-")]
    own = {name.removeprefix("x-slmroute-"): response.headers[name] for name in names}
    assert len(own.pop("request-id")) == 32
    return own


def test_a_confident_answer_is_the_slms(client: Client, llm: ScriptedServer) -> None:
    proxy, opened = client
    response = ask(opened, "easy")
    answer = response.parse()
    assert answer.choices[0].message.content == "small"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "tiny"
    assert answer.usage.total_tokens == 150
    assert headers(response) == {
        "decision": "slm",
        "reason": "confident",
        "method": "perplexity",
        "confidence": "0.9",
        "threshold": "0.5",
        "model": "tiny",
    }
    assert llm.total == 0
    (decision,) = proxy.wait_for("decision")
    (outcome,) = proxy.wait_for("outcome")
    assert decision["id"] == outcome["id"] == response.headers["x-slmroute-request-id"]
    assert (decision["decision"], decision["confidence"]) == ("slm", pytest.approx(0.9))
    assert (outcome["answered_by"], outcome["status"], outcome["error"]) == ("slm", 200, None)


@pytest.mark.parametrize(
    ("question", "reason", "confidence"), [("hard", "unsure", 0.2), ("strange", "no_confidence", 0)]
)
def test_an_unsure_answer_is_the_llms(
    client: Client, llm: ScriptedServer, question: str, reason: str, confidence: float
) -> None:
    proxy, opened = client
    response = ask(opened, question, temperature=0, max_tokens=7, user="someone")
    assert response.parse().choices[0].message.content == f"large: {question}"
    own = headers(response)
    assert (own["decision"], own["reason"], own["model"]) == ("llm", reason, LLM)
    assert float(own["confidence"] or 0) == pytest.approx(confidence)
    # The LLM gets the request as it is, but for the model.
    assert llm.bodies == [
        {
            "model": LLM,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": 7,
            "user": "someone",
        }
    ]
    (outcome,) = proxy.wait_for("outcome")
    assert outcome["llm_cost_usd"] == pytest.approx((100 * 0.4 + 50 * 1.6) / 1e6)


def streamed(client: OpenAI, question: str, **how: Any) -> list[Any]:
    return list(
        client.chat.completions.create(
            model=ROUTE, messages=[{"role": "user", "content": question}], stream=True, **how
        )
    )


def text(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_streams_are_the_same_answers(client: Client) -> None:
    proxy, opened = client
    assert text(streamed(opened, "easy")) == "small"
    assert text(streamed(opened, "hard")) == "large0 large1 large2 "
    with_usage = streamed(opened, "easy", stream_options={"include_usage": True})
    assert [chunk.usage.total_tokens for chunk in with_usage if chunk.usage] == [150]
    outcomes = proxy.wait_for("outcome", 3)
    assert [each["answered_by"] for each in outcomes] == ["slm", "llm", "slm"]
    assert {each["status"] for each in outcomes} == {200}


def test_the_asynchronous_client_may_ask_much_at_once(
    start: Callable[..., RunningProxy], llm: ScriptedServer
) -> None:
    proxy = start()

    async def all_answers() -> list[str]:
        async with AsyncOpenAI(base_url=proxy.url, api_key="any", max_retries=0) as opened:

            async def one(number: int) -> str:
                question = f"{'hard' if number % 3 == 0 else 'easy'} {number}"
                messages = [{"role": "user", "content": question}]
                if number % 2:
                    stream = await opened.chat.completions.create(
                        model=ROUTE, messages=messages, stream=True
                    )
                    return "".join([part.choices[0].delta.content or "" async for part in stream])
                answer = await opened.chat.completions.create(model=ROUTE, messages=messages)
                return answer.choices[0].message.content or ""

            return list(await asyncio.gather(*map(one, range(40))))

    for number, answer in enumerate(asyncio.run(all_answers())):
        assert answer.startswith("large" if number % 3 == 0 else "small")
    assert len(proxy.wait_for("outcome", 40)) == 40
    ids = [event["id"] for event in proxy.events("decision")]
    assert sorted(ids) == sorted(event["id"] for event in proxy.events("outcome"))
    assert llm.total == 14


IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
UNTOUCHED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [TOOL]}, "tools"),
    ({"tools": [TOOL], "tool_choice": "none"}, "tools"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"n": 2}, "n"),
    ({"temperature": 0.7}, "temperature"),
    ({"logprobs": True}, "logprobs"),
    ({"extra_body": {"no_such": 1}}, "no_such"),
    ({"messages": [{"role": "user", "content": IMAGE}]}, "images"),
    (
        {
            "messages": [
                {"role": "user", "content": "easy"},
                {"role": "assistant", "content": "Hm"},
            ]
        },
        "last_message",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), UNTOUCHED)
def test_what_has_no_confidence_goes_untouched_and_says_so(
    client: Client, slm: ScriptedServer, llm: ScriptedServer, changes: dict[str, Any], reason: str
) -> None:
    _, opened = client
    before = slm.total  # the call that finds out what the server gives
    own = headers(ask(opened, "easy", **changes))
    assert (own["decision"], own["reason"], own["confidence"]) == ("llm", reason, "")
    assert slm.total == before
    sent = {**changes, **changes.get("extra_body", {})}
    sent.pop("extra_body", None)
    assert sent.items() <= llm.bodies[0].items()


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": []},
        {"response_format": {"type": "text"}},
        {"n": 1, "temperature": 0, "seed": 3, "top_p": 0.5},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "easy"}]}]},
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "easy", "name": "Ann"},
            ]
        },
    ],
)
def test_what_asks_for_nothing_is_the_slms(client: Client, changes: dict[str, Any]) -> None:
    assert headers(ask(client[1], "easy", **changes))["decision"] == "slm"


def test_the_slm_is_asked_by_the_requests_limit_and_stops(
    client: Client, slm: ScriptedServer
) -> None:
    ask(client[1], "easy", max_completion_tokens=9, stop=["\n", "Q:"])
    body = slm.bodies[-1]
    assert (body["max_tokens"], body["stop"], body["temperature"]) == (9, ["\n", "Q:"], 0.0)


def test_a_client_may_force_either_model(client: Client, llm: ScriptedServer) -> None:
    _, opened = client
    forced = ask(opened, "hard", extra_headers={"x-slmroute-force": "slm"})
    assert headers(forced)["model"] == "tiny"
    assert headers(forced)["reason"] == "forced"
    assert headers(ask(opened, "hard", model="slmroute/slm"))["decision"] == "slm"
    assert llm.total == 0
    assert headers(ask(opened, "easy", model="slmroute/llm"))["decision"] == "llm"
    forced = ask(opened, "easy", extra_headers={"x-slmroute-force": "llm"})
    assert headers(forced)["reason"] == "forced"
    with pytest.raises(openai.BadRequestError, match="cannot be asked this"):
        ask(opened, "easy", model="slmroute/slm", tools=[TOOL])
    with pytest.raises(openai.BadRequestError, match="must be slm or llm"):
        ask(opened, "easy", extra_headers={"x-slmroute-force": "both"})


def test_models_are_listed(client: Client) -> None:
    names = [model.id for model in client[1].models.list()]
    assert names == [ROUTE, "slmroute/slm", "slmroute/llm"]
    with pytest.raises(openai.NotFoundError, match=f"no model 'other' here, but {ROUTE}"):
        ask(client[1], "easy", model="other")
