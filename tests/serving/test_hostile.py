"""Models and clients that do what they should not, and what the proxy makes of it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web
from openai import AsyncOpenAI, DefaultHttpxClient, OpenAI
from running_proxy import ROUTE, RunningProxy, llm_answers
from scripted_server import Handler, ScriptedServer, completion

from slmroute_plugin.run.assessor import Assessor
from slmroute_plugin.serving import proxy as proxy_module
from slmroute_plugin.serving.proxy import ProxyLimits
from slmroute_plugin.serving.slm_model import SlmChoice

Start = Callable[..., RunningProxy]


@pytest.fixture
def proxy(start: Start) -> RunningProxy:
    """A proxy between the two servers."""
    return start()


def post(proxy: RunningProxy, body: Any, **headers: str) -> Any:
    """Post a body as it is, and return the response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with DefaultHttpxClient(timeout=60) as opened:
        return opened.post(f"{proxy.url}/chat/completions", content=content, headers=headers)


def body(question: Any, **further: Any) -> dict[str, Any]:
    """The body of a request."""
    return {"model": ROUTE, "messages": [{"role": "user", "content": question}], **further}


def streams(text: str) -> Handler:
    """Answers 200 with this text, as a stream of events."""

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for at in range(0, len(raw := text.encode()), 7):  # characters are cut in two
            await response.write(raw[at : at + 7])
            await asyncio.sleep(0)
        return response

    return handle


def event(**fields: Any) -> str:
    """A chunk of a completion, with characters as they are."""
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps(head | fields, ensure_ascii=False)}\n\n"


def delta(text: str | None, finish: str | None = None) -> str:
    """A chunk with a piece of the answer."""
    content = {} if text is None else {"content": text}
    return event(choices=[{"index": 0, "delta": content, "finish_reason": finish}])


def streamed(proxy: RunningProxy, question: str = "hard", **how: Any) -> str:
    """The text of a streamed answer."""
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as client:
        given: Any = body(question, stream=True) | how
        parts = client.chat.completions.create(**given)
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x1e", "🙂", "é", "\\u2028"])
def test_streams_may_hold_any_character(
    proxy: RunningProxy, llm: ScriptedServer, separator: str
) -> None:
    text = f"a{separator}b"
    llm.otherwise = streams(delta(text) + delta(None, "stop") + "data: [DONE]\n\n")
    assert streamed(proxy) == text
    (outcome,) = proxy.wait_for("outcome")
    assert outcome["status"] == 200


def test_a_client_that_goes_at_the_last_event_has_its_answer(
    proxy: RunningProxy, llm: ScriptedServer
) -> None:
    whole = streams(delta("yes", "stop") + "data: [DONE]\n\n")

    async def handle(request: web.Request, question: str) -> web.StreamResponse:
        response = await whole(request, question)
        await asyncio.sleep(30)  # until the proxy has closed the connection
        return response

    llm.otherwise = handle
    assert streamed(proxy) == "yes"
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["status"], outcome["error"]) == (200, None)


def test_comments_and_other_fields_before_the_first_event_are_passed_on(
    proxy: RunningProxy, llm: ScriptedServer
) -> None:
    llm.otherwise = streams(
        ": processing\r\n\r\nevent: x\r\n" + delta("yes", "stop") + "data: [DONE]"
    )
    response = post(proxy, body("hard", stream=True))
    assert response.text.startswith(": processing\n\nevent: x\ndata: {")
    assert streamed(proxy) == "yes"


NO_STREAMS = {
    "a completion": json.dumps(completion("whole")),
    "a page": "<html>\n<p>data: no</p></html>",
    "nothing": "",
    "comments": ": processing\n\n",
    "an end without a beginning": "data: [DONE]\n\n",
    "an error": event(error={"message": "out of memory", "code": 500}),
}


@pytest.mark.parametrize("kind", NO_STREAMS)
def test_what_is_no_stream_is_a_failure_of_the_llm(
    proxy: RunningProxy, llm: ScriptedServer, kind: str
) -> None:
    llm.otherwise = streams(NO_STREAMS[kind])
    assert streamed(proxy) == "small"
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("slm", 200)
    with pytest.raises(openai.InternalServerError, match="did not answer"):
        streamed(proxy, model="slmroute/llm")


def test_an_error_within_a_stream_is_passed_on_and_logged(
    proxy: RunningProxy, llm: ScriptedServer
) -> None:
    llm.otherwise = streams(delta("half") + event(error={"message": "out of memory"}))
    with pytest.raises(openai.APIError, match="out of memory"):
        streamed(proxy)
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("llm", 502)


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (event(error={"message": "out of memory"}), "out of memory"),  # vLLM's
        (delta(None, "error"), "finish_reason error"),
    ],
)
def test_a_stream_that_the_server_breaks_off_is_not_logged_as_an_answer(
    proxy: RunningProxy, llm: ScriptedServer, last: str, words: str
) -> None:
    sent = delta("half") + last + "data: [DONE]\n\n"
    llm.otherwise = streams(sent)
    assert post(proxy, body("hard", stream=True)).text == sent
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("llm", 502)
    assert words in outcome["error"]


@pytest.mark.parametrize(
    "piece",
    [
        {"content": "a" * 4000},
        {"reasoning_content": "a" * 4000},
        {"reasoning": "a" * 4000, "reasoning_content": "a" * 4000},
        {"tool_calls": [{"index": 0, "function": {"arguments": "a" * 4000}}]},
    ],
)
def test_all_that_is_streamed_counts_where_the_server_counts_no_tokens(
    start: Start, llm: ScriptedServer, piece: dict[str, Any]
) -> None:
    # 4000 letters are about 1000 tokens, at $1.60 per million.
    proxy = start({"max_cost_usd": 0.003})
    thought = event(choices=[{"index": 0, "delta": piece, "finish_reason": None}])
    llm.otherwise = streams(thought + delta("yes", "stop") + "data: [DONE]\n\n")
    for _ in range(3):
        post(proxy, body("hard", stream=True))
    proxy.wait_for("outcome", 3)
    assert llm.total == 2


def test_a_stream_that_stops_in_its_middle_is_broken_off(start: Start, llm: ScriptedServer) -> None:
    proxy = start({"timeout_s": 0.5})
    llm.otherwise = llm_answers(words=3, pause_s=60)
    with pytest.raises(openai.APIError, match="broke off"):
        streamed(proxy)
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("llm", 502)


NO_ANSWERS: dict[str, Any] = {
    "a page": "<html></html>",
    "an empty body": "",
    "an empty object": "{}",
    "a list": "[1, 2]",
    "no choices": json.dumps({"choices": []}),
    "choices that are none": json.dumps({"choices": ["a", None]}),
    "no text": json.dumps(completion(None)),
    "a number for a text": json.dumps(completion(7)),
    "an error": json.dumps({"error": {"message": "half \ud800"}}),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("kind", NO_ANSWERS)
@pytest.mark.parametrize("whose", ["slm", "llm"])
def test_what_is_no_answer_is_a_failure_of_its_model(
    proxy: RunningProxy, slm: ScriptedServer, llm: ScriptedServer, kind: str, whose: str
) -> None:
    broken = slm if whose == "slm" else llm
    broken.otherwise = broken.raw(NO_ANSWERS[kind])
    answer = post(proxy, body("hard")).json()["choices"][0]["message"]["content"]
    assert answer == ("large: hard" if whose == "slm" else "small")
    other = llm if whose == "slm" else slm
    other.otherwise = other.status(500, {"message": "half \ud800"})
    failed = post(proxy, body("hard"))
    if failed.status_code == 200:  # an answer without a text is still an answer of the LLM's
        assert (whose, failed.json()) == ("llm", json.loads(NO_ANSWERS[kind]))
        assert kind in ("no text", "a number for a text")
    else:
        assert failed.status_code == 502
        assert "did not answer" in failed.json()["error"]["message"]


@pytest.mark.parametrize(
    "logprobs",
    [
        7,
        {"content": [{"token": "small"}]},
        {"content": [{"token": "small", "logprob": "high"}]},
        {"content": [{"token": "else", "logprob": -0.1}]},
        {"content": [None]},
    ],
)
def test_log_probabilities_that_cannot_be_read_are_no_confidence(
    proxy: RunningProxy, slm: ScriptedServer, logprobs: Any
) -> None:
    slm.otherwise = slm.body(completion("small", logprobs=logprobs))
    response = post(proxy, body("easy"))
    assert response.headers["x-slmroute-reason"] == "no_confidence"
    assert response.headers["x-slmroute-decision"] == "llm"


def test_half_a_character_in_a_question_is_passed_on_to_the_llm(
    proxy: RunningProxy, llm: ScriptedServer
) -> None:
    response = post(proxy, body("easy \ud800"))
    assert response.status_code == 200
    assert response.headers["x-slmroute-reason"] == "slm_cannot_be_asked"
    assert llm.bodies[-1]["messages"][0]["content"] == "easy \ud800"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"stream": "yes"}, "stream must be true or false"),
        ({"stream": 1}, "stream must be true or false"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(
    proxy: RunningProxy, changes: dict[str, Any], text: str
) -> None:
    response = post(proxy, body("easy", **changes))
    assert (response.status_code, text in response.text) == (400, True)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000])
def test_numbers_without_end_are_refused(proxy: RunningProxy, number: str) -> None:
    raw = json.dumps(body("easy", temperature=0)).replace('"temperature": 0', f'"top_p": {number}')
    assert post(proxy, raw.encode()).status_code == 400


def test_an_empty_stop_string_ends_nothing(proxy: RunningProxy, slm: ScriptedServer) -> None:
    response = post(proxy, body("easy", stop=["", "Q:"]))
    assert response.headers["x-slmroute-decision"] == "slm"
    assert response.json()["choices"][0]["message"]["content"] == "small"
    assert slm.bodies[-1]["stop"] == ["Q:"]


def test_a_part_whose_text_is_none_goes_to_the_llm(proxy: RunningProxy) -> None:
    parts = [{"type": "text", "text": "easy"}, {"type": "text", "text": 7}]
    response = post(proxy, body(parts))
    assert response.headers["x-slmroute-reason"] == "no_text"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/embeddings", 404),
        ("POST", "/v1/responses", 404),
        ("GET", "/", 404),
        ("GET", "/v1/models/other", 404),
    ],
)
def test_what_is_not_served_has_openais_form(
    proxy: RunningProxy, method: str, path: str, status: int
) -> None:
    with DefaultHttpxClient() as opened:
        response = opened.request(method, f"{proxy.root}{path}")
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert ("allow" in response.headers) == (status == 405)


def test_a_model_can_be_retrieved(proxy: RunningProxy) -> None:
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as client:
        assert client.models.retrieve(ROUTE).id == ROUTE
        with pytest.raises(openai.NotFoundError, match="no model 'slmroute/other'"):
            client.models.retrieve("slmroute/other")


def opened_socket(proxy: RunningProxy, sent: str) -> socket.socket:
    """A connection that has sent the beginning of a request."""
    connection = socket.create_connection(("127.0.0.1", int(proxy.root.rpartition(":")[2])))
    connection.sendall(sent.encode())
    return connection


HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"


def test_clients_that_never_finish_keep_no_other_from_its_answer(proxy: RunningProxy) -> None:
    begun = ["", "POST /v1/chat/comp", HEAD, f"{HEAD}\r\n", f'{HEAD}\r\n{{"model": "slm']
    idle = [opened_socket(proxy, text) for text in begun for _ in range(20)]
    assert post(proxy, body("easy")).headers["x-slmroute-decision"] == "slm"
    for each in idle:
        each.close()
    assert post(proxy, body("easy")).headers["x-slmroute-decision"] == "slm"


def test_a_body_that_does_not_come_frees_its_place(
    start: Start, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(proxy_module, "_BODY_TIMEOUT_S", 0.5)
    proxy = start(limits=ProxyLimits(most_pending=1))
    with opened_socket(proxy, f"{HEAD}\r\n{{") as slow:
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    gone = opened_socket(proxy, f"{HEAD}\r\n{{")
    gone.close()
    until_free(proxy)
    assert "Traceback" not in capfd.readouterr().err


def until_free(proxy: RunningProxy) -> None:
    """Ask until there is a place."""
    for _ in range(100):
        response = post(proxy, body("easy"))
        if response.status_code == 200:
            return
        assert response.status_code == 429
    raise AssertionError("the place is not free")


@pytest.mark.parametrize("sent", ["\x00\x01garbage\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_refused(proxy: RunningProxy, sent: str) -> None:
    with opened_socket(proxy, sent) as connection:
        assert connection.recv(100).split()[1:2] == [b"400"]
    assert post(proxy, body("easy")).status_code == 200


def test_secrets_in_a_clients_headers_go_nowhere(
    proxy: RunningProxy, slm: ScriptedServer, llm: ScriptedServer, capfd: Any
) -> None:
    secret = "s3cret-of-a-client"
    headers = {"authorization": f"Bearer {secret}", "cookie": secret, "x-slmroute-force": secret}
    assert post(proxy, body("hard"), **headers).status_code == 400
    del headers["x-slmroute-force"]
    response = post(proxy, body("hard"), **headers)
    assert response.status_code == 200
    proxy.wait_for("outcome")
    assert all(secret not in str(told) for told in slm.authorization + llm.authorization)
    shown = [str(response.headers), proxy.log.read_text(), *capfd.readouterr()]
    assert all(secret not in text for text in shown)


def test_the_scheme_of_a_key_may_be_in_small_letters(start: Start) -> None:
    proxy = start(limits=ProxyLimits(key="sk-proxy-0123456789"))
    assert post(proxy, body("easy"), authorization="bearer sk-proxy-0123456789").status_code == 200
    for wrong in ("sk-proxy-0123456789", "Basic sk-proxy-0123456789", "Bearer", ""):
        assert post(proxy, body("easy"), authorization=wrong).status_code == 401


def test_equal_requests_at_once_are_each_answered_and_logged(
    start: Start, llm: ScriptedServer, tmp_path: Path
) -> None:
    proxy = start({"cache": tmp_path / "cache.sqlite"})

    async def all_answers() -> list[str | None]:
        async with AsyncOpenAI(base_url=proxy.url, api_key="any", max_retries=0) as client:

            async def one() -> str | None:
                given: Any = body("hard", temperature=0)
                answer = await client.chat.completions.create(**given)
                return str(answer.choices[0].message.content)

            return list(await asyncio.gather(*(one() for _ in range(30))))

    assert asyncio.run(all_answers()) == ["large: hard"] * 30
    ids = [event["id"] for event in proxy.wait_for("outcome", 30)]
    assert sorted(ids) == sorted(event["id"] for event in proxy.events("decision"))
    assert len(set(ids)) == 30


def test_a_text_that_cannot_be_logged_costs_no_answer(start: Start) -> None:
    proxy = start(log_text=True)
    deep = b"[" * 900 + b"]" * 900
    raw = json.dumps(body("PART")).encode().replace(b'"PART"', deep)
    assert post(proxy, raw).status_code in (200, 400, 502)
    assert post(proxy, body("easy")).status_code == 200


def test_a_question_that_breaks_the_tokenizer_costs_no_other_its_answer(
    start: Start, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fits(self: Any, instance: Any) -> bool:
        if "broken" in instance.question.text:
            raise TypeError("not a text")
        return True

    monkeypatch.setattr(Assessor, "fits", fits)
    lm = tiny(num_hidden_layers=2, max_position_embeddings=256, max_length=256)
    proxy = start(choice=SlmChoice("hf"), lm=lm, threshold=0.0)
    reasons = [
        post(proxy, body(question)).headers["x-slmroute-reason"]
        for question in ("broken", "whole", "half \ud800", "whole")
    ]
    assert reasons == ["slm_cannot_be_asked", "confident", "slm_cannot_be_asked", "confident"]


def test_a_connection_may_be_used_again_after_an_error(proxy: RunningProxy) -> None:
    connection = http.client.HTTPConnection(proxy.root.removeprefix("http://"))
    for sent, status in (("{", 400), (json.dumps(body("easy")), 200), ("[]", 400)):
        connection.request("POST", "/v1/chat/completions", sent)
        response = connection.getresponse()
        assert response.status == status
        response.read()
    connection.close()
