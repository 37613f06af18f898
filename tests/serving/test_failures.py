"""What clients get when a model, or they themselves, fail."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pytest
from checkout import environment
from openai import DefaultHttpxClient, OpenAI
from real_server import free_port
from running_proxy import ROUTE, RunningProxy, llm_answers, slm_answers, write_threshold
from scripted_server import KEY, ScriptedServer, completion

from slmroute_plugin.llm.limits import Pace
from slmroute_plugin.serving.connected_slm import ConnectedSlm
from slmroute_plugin.serving.proxy import ProxyLimits
from slmroute_plugin.serving.shadow import Shadow, ShadowSettings

Start = Callable[..., RunningProxy]


def client(proxy: RunningProxy) -> OpenAI:
    return OpenAI(base_url=proxy.url, api_key="any", max_retries=0)


def ask(proxy: RunningProxy, question: str, **how: Any) -> Any:
    given = {"model": ROUTE, "messages": [{"role": "user", "content": question}]} | how
    with client(proxy) as opened:
        return opened.chat.completions.with_raw_response.create(**given)


def content(response: Any) -> str:
    return str(response.parse().choices[0].message.content)


def test_a_failing_slm_is_replaced_by_the_llm(
    start: Start, slm: ScriptedServer, llm: ScriptedServer
) -> None:
    proxy = start()
    slm.faults["one"] = [slm.status(500)]
    slm.faults["two"] = [slm.cut()]
    slm.faults["three"] = [slm.raw("{")]
    slm.faults["four"] = [slm.status(400)]
    for question in ("one", "two", "three", "four"):
        response = ask(proxy, question)
        assert content(response) == f"large: {question}"
        assert response.headers["x-slmroute-reason"] == "slm_error"
    whys = [event["why"] for event in proxy.wait_for("decision", 4)]
    assert whys[0] == "HTTP 500: status 500 (attempts: 1)"
    with pytest.raises(openai.InternalServerError, match="The SLM did not answer"):
        slm.faults["five"] = [slm.status(500)]
        ask(proxy, "five", model="slmroute/slm")


def test_a_slow_slm_is_given_up(start: Start, slm: ScriptedServer) -> None:
    proxy = start(slm_timeout_s=0.2)
    slm.faults["easy"] = [slm.hang()]
    response = ask(proxy, "easy")
    assert response.headers["x-slmroute-reason"] == "slm_timeout"
    assert content(response) == "large: easy"


@pytest.mark.parametrize("stream", [False, True])
def test_without_the_llm_the_unsure_answer_is_returned_with_a_header(
    start: Start, llm: ScriptedServer, stream: bool
) -> None:
    proxy = start()
    llm.otherwise = llm.status(503)
    with client(proxy) as opened:
        response: Any = opened.chat.completions.with_raw_response.create(
            model=ROUTE, messages=[{"role": "user", "content": "hard"}], stream=stream
        )
        if stream:
            parts = [part.choices[0].delta.content or "" for part in response.parse()]
            assert "".join(parts) == "small"
        else:
            assert content(response) == "small"
    own = response.headers
    assert (own["x-slmroute-decision"], own["x-slmroute-reason"]) == ("slm", "llm_failed")
    assert own["x-slmroute-model"] == "tiny"
    (outcome,) = proxy.wait_for("outcome")
    assert outcome["answered_by"] == "slm"
    assert outcome["error"] == "HTTP 503: status 503 (attempts: 1)"


def test_an_answer_of_the_llm_without_a_text_is_none(start: Start, llm: ScriptedServer) -> None:
    proxy = start()
    llm.otherwise = llm.body(completion("", finish_reason="content_filter"))
    response = ask(proxy, "hard")
    assert content(response) == "small"
    assert response.headers["x-slmroute-reason"] == "llm_failed"
    (outcome,) = proxy.wait_for("outcome")
    assert outcome["answered_by"] == "slm"
    # It was paid: 100 tokens at $0.40, and 50 at $1.60 per million.
    assert outcome["llm_cost_usd"] == pytest.approx(0.00012)
    with DefaultHttpxClient() as opened:
        text = opened.get(f"{proxy.root}/metrics").text
    assert 'slmroute_llm_cost_usd_total{purpose="answer"} 0.00012' in text


def test_an_llm_that_asks_to_wait_long_is_not_waited_for(start: Start, llm: ScriptedServer) -> None:
    proxy = start({"max_attempts": 3})
    llm.otherwise = llm.status(429, headers={"retry-after": "300"})
    assert content(ask(proxy, "hard", timeout=60)) == "small"
    assert llm.total == 1


def test_answers_without_a_text_are_paid_too(start: Start, llm: ScriptedServer) -> None:
    proxy = start({"max_cost_usd": 1})
    # A million tokens of thinking, at $1.60.
    usage = {"prompt_tokens": 0, "completion_tokens": 1_000_000}
    llm.otherwise = llm.body(completion(None, usage=usage))
    for question in ("hard", "hard again"):
        assert ask(proxy, question).headers["x-slmroute-reason"] == "llm_failed"
    assert llm.total == 1


def test_an_answer_counts_towards_the_pace_as_if_it_were_as_long_as_it_may(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = []

    async def counted(pace: Pace, amount: float = 1) -> None:
        amounts.append(amount)

    monkeypatch.setattr(Pace, "wait", counted)
    proxy = start({"tokens_per_minute": 1000})
    # 400 letters are 100 tokens.
    for most in ({}, {"max_tokens": 50}, {"max_completion_tokens": 70}, {"max_tokens": 10**12}):
        ask(proxy, "a" * 400, model="slmroute/llm", **most)
    assert amounts[1::2] == [100, 150, 170, 1000]  # between turns of requests


def test_an_image_is_not_counted_by_its_letters(start: Start, llm: ScriptedServer) -> None:
    # 225,000 tokens, if they were letters: four minutes.
    proxy = start({"tokens_per_minute": 60_000})
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 900_000}"}}
    shown = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    for _ in range(2):
        ask(proxy, "", messages=shown, timeout=60)
    assert llm.total == 2


def test_a_call_of_a_tool_is_passed_on(start: Start, llm: ScriptedServer) -> None:
    proxy = start()
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    llm.otherwise = llm.body(completion(None, message={"tool_calls": [call]}))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    answer = ask(proxy, "hard", tools=[tool]).parse()
    assert answer.choices[0].message.tool_calls[0].function.name == "f"


@pytest.mark.parametrize(
    ("status", "seen", "retry_after"),
    [(400, 400, None), (401, 502, None), (429, 429, "8"), (500, 502, None)],
)
def test_without_both_there_is_an_error_of_openais_form(
    start: Start,
    slm: ScriptedServer,
    llm: ScriptedServer,
    status: int,
    seen: int,
    retry_after: str | None,
) -> None:
    proxy = start()
    slm.otherwise = slm.status(500)
    llm.otherwise = llm.status(status, {"message": f"bad {KEY}"}, {"retry-after": "7"})
    with pytest.raises(openai.APIStatusError) as raised:
        ask(proxy, "hard")
    error = raised.value
    assert error.status_code == seen
    assert error.response.headers.get("retry-after") == retry_after
    body = error.response.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"].startswith(f"gpt-4.1-mini did not answer: HTTP {status}: bad [key]")
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("none", seen)


@pytest.mark.parametrize("model", ["slm", "llm"])
def test_the_address_of_a_model_that_is_down_is_not_told(
    start: Start, slm: ScriptedServer, llm: ScriptedServer, model: str
) -> None:
    proxy = start()
    down = slm if model == "slm" else llm

    async def go(request: Any, question: str) -> Any:
        await down.unlisten()
        return await down.cut()(request, question)

    down.otherwise = go
    for words in ("the connection broke", "the server cannot be reached"):
        with pytest.raises(openai.InternalServerError, match=words) as raised:
            ask(proxy, "easy", model=f"slmroute/{model}")
        assert "127.0.0.1" not in raised.value.response.text


def test_a_stream_that_breaks_says_so_and_is_not_begun_again(
    start: Start, llm: ScriptedServer
) -> None:
    proxy = start()
    llm.otherwise = llm_answers(words=5, breaks_after=2)
    seen = []
    with client(proxy) as opened, pytest.raises(openai.APIError, match="broke off"):
        messages: Any = [{"role": "user", "content": "hard"}]
        stream: Any = opened.chat.completions.create(model=ROUTE, messages=messages, stream=True)
        for part in stream:
            seen.append(part.choices[0].delta.content)
    assert seen == ["large0 ", "large1 "]
    assert llm.total == 1
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("llm", 502)


def test_too_many_requests_get_429_and_are_told_when_to_come_again(
    start: Start, slm: ScriptedServer
) -> None:
    proxy = start(limits=limits(most_pending=1))
    slm.faults["slow"] = [slm.hang()]
    first = post(proxy, "slow")
    assert slm.is_hanging.wait(20)
    with pytest.raises(openai.RateLimitError, match="Too many requests") as raised:
        ask(proxy, "easy")
    assert raised.value.response.headers["retry-after"] == "1"
    # A client that goes away frees its place.
    first.close()
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["status"], outcome["error"]) == (499, "the client has gone")
    assert content(ask(proxy, "easy")) == "small"


def test_a_client_that_leaves_a_stream_frees_its_place(start: Start, llm: ScriptedServer) -> None:
    proxy = start(limits=limits(most_pending=1))
    llm.otherwise = llm_answers(words=10_000, pause_s=0.01)
    with client(proxy) as opened:
        messages: Any = [{"role": "user", "content": "hard"}]
        stream: Any = opened.chat.completions.create(model=ROUTE, messages=messages, stream=True)
        assert next(iter(stream)).choices[0].delta.content == "large0 "
        stream.close()
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["answered_by"], outcome["status"]) == ("llm", 499)
    assert content(ask(proxy, "easy")) == "small"


def limits(**changes: Any) -> Any:
    return ProxyLimits(**changes)


def post(proxy: RunningProxy, question: str, **further: Any) -> http.client.HTTPConnection:
    """Send a request, and do not wait for its answer."""
    connection = http.client.HTTPConnection(proxy.root.removeprefix("http://"))
    body = {"model": ROUTE, "messages": [{"role": "user", "content": question}]} | further
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    return connection


BAD_BODIES: list[tuple[bytes, int, str]] = [
    (b"{", 400, "not JSON"),
    (b'{"model": "slmroute/llm", "messages": [{}], "top_p": NaN}', 400, "not JSON"),
    (b"[1]", 400, "not a JSON object"),
    (b"[" * 200_000, 400, "not JSON"),
    (b"\xff\xfe", 400, "not JSON"),
    (b"{}", 400, "model must be a text"),
    (b'{"model": "slmroute/llm"}', 400, "messages must be a list"),
    (b'{"model": "slmroute/llm", "messages": []}', 400, "messages must be a list"),
    (b'{"model": "slmroute/llm", "messages": ["a"]}', 400, "must be an object"),
    (b'{"model": "slmroute/slm", "messages": [{}], "max_tokens": "7"}', 400, "max_tokens must"),
    (b'{"model": "slmroute/slm", "messages": [{}], "max_tokens": 0}', 400, "max_tokens must"),
    (b'{"model": "slmroute/slm", "messages": [{}], "stop": 7}', 400, "stop must"),
    (b" " * 300_000, 413, "larger than 250000 bytes"),
]


@pytest.fixture
def strict(start: Start) -> RunningProxy:
    """A proxy that asks for a key and takes small bodies."""
    return start(limits=limits(most_bytes=250_000, key="sk-proxy-0123456789"))


def test_hostile_bodies_are_refused(strict: RunningProxy, llm: ScriptedServer) -> None:
    key = {"authorization": "Bearer sk-proxy-0123456789"}
    with DefaultHttpxClient() as opened:
        for body, status, text in BAD_BODIES:
            response = opened.post(f"{strict.url}/chat/completions", content=body, headers=key)
            assert (response.status_code, text in response.text) == (status, True), body[:40]

            def parts(body: bytes = body) -> Any:
                yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

            chunked = opened.post(f"{strict.url}/chat/completions", content=parts(), headers=key)
            assert chunked.status_code == status
    assert llm.total == 0


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"authorization": "ü"}])
def test_whoever_has_no_key_gets_nothing_but_health(
    strict: RunningProxy, given: dict[str, str]
) -> None:
    headers = {name: value.encode() for name, value in given.items()}
    with DefaultHttpxClient() as opened:
        for path in ("models", "../metrics"):
            url = f"{strict.url}/{path}" if path == "models" else f"{strict.root}/metrics"
            assert opened.get(url, headers=headers).status_code == 401
        posted = opened.post(f"{strict.url}/chat/completions", content=b"{}", headers=headers)
        assert posted.status_code == 401
        assert posted.json()["error"]["code"] == "invalid_api_key"
        assert opened.get(f"{strict.root}/health").json() == {"status": "ok"}
        assert opened.get(f"{strict.root}/docs").status_code == 404


def test_neither_keys_nor_texts_show_anywhere(
    start: Start, slm: ScriptedServer, llm: ScriptedServer, capfd: Any
) -> None:
    proxy = start()
    llm.faults["hard canary"] = [llm.status(400, {"message": f"{KEY} is wrong"})]
    shown = [str(ask(proxy, "hard canary").headers), str(ask(proxy, "hard canary").headers)]
    with DefaultHttpxClient() as opened:
        shown.append(opened.get(f"{proxy.root}/metrics").text)
    proxy.wait_for("outcome", 2)
    shown += [proxy.log.read_text(), *capfd.readouterr()]
    assert "slmroute_decisions_total" in shown[2]
    for text in shown:
        assert KEY not in text
        assert "canary" not in text
    # Both models were asked with their key.
    assert set(slm.authorization + llm.authorization) == {f"Bearer {KEY}"}


def test_half_a_surrogate_pair_harms_nothing(start: Start, slm: ScriptedServer) -> None:
    proxy = start()
    half = completion("a \ud800 b", logprobs=None)
    slm.otherwise = slm.body(half)
    answer = ask(proxy, "easy", model="slmroute/slm").parse()
    assert answer.choices[0].message.content == "a \N{REPLACEMENT CHARACTER} b"


def test_a_fault_of_the_proxy_itself_has_openais_form(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise ZeroDivisionError

    proxy = start(shadow=ShadowSettings(1.0))
    monkeypatch.setattr(Shadow, "consider", fail)
    with pytest.raises(openai.InternalServerError, match="its log says why") as raised:
        ask(proxy, "easy")
    assert raised.value.response.headers["x-slmroute-request-id"]
    (outcome,) = proxy.wait_for("outcome")
    assert (outcome["status"], outcome["error"]) == (500, "ZeroDivisionError")


def test_a_slm_that_fails_in_another_way_is_replaced_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any) -> None:
        raise ZeroDivisionError

    proxy = start()
    monkeypatch.setattr(ConnectedSlm, "answer", fail)
    response = ask(proxy, "easy")
    assert response.headers["x-slmroute-reason"] == "slm_error"


def test_a_confidence_that_decided_nothing_is_not_in_the_metrics(start: Start) -> None:
    proxy = start()
    ask(proxy, "hard", model="slmroute/slm")
    ask(proxy, "easy")
    with DefaultHttpxClient() as opened:
        text = opened.get(f"{proxy.root}/metrics").text
    assert "slmroute_confidence_count 1.0" in text


def test_text_is_logged_if_that_is_wanted(start: Start) -> None:
    proxy = start(log_text=True)
    ask(proxy, "easy thing")
    (decision,) = proxy.wait_for("decision")
    assert decision["messages"] == [{"role": "user", "content": "easy thing"}]
    assert decision["slm_text"] == "small"


def test_a_log_that_cannot_be_written_costs_no_answer(start: Start) -> None:
    proxy = start(log=Path("/dev/full"))
    assert content(ask(proxy, "easy")) == "small"
    with DefaultHttpxClient() as opened:
        failures = opened.get(f"{proxy.root}/metrics").text
    assert "slmroute_log_failures 3.0" in failures  # start, decision, outcome


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_proxy_loses_no_decision_and_answers_nothing_twice(
    slm: ScriptedServer, llm: ScriptedServer, tmp_path: Path, end: int
) -> None:
    llm.otherwise = llm_answers(words=300, pause_s=0.01)
    port = free_port()
    command = [
        *(sys.executable, "-m", "slmroute_plugin", "serve", str(write_threshold(tmp_path))),
        *("--slm", slm.url, "--slm-args", "model=tiny", "--llm-base-url", llm.url),
        *("--port", str(port), "--log", str(tmp_path / "decisions.jsonl")),
    ]
    process = subprocess.Popen(command, env={**environment(), **os.environ})
    proxy = RunningProxy(port, tmp_path / "decisions.jsonl")
    try:
        until = time.monotonic() + 120
        while True:
            try:
                assert content(ask(proxy, "easy")) == "small"
                break
            except openai.APIConnectionError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.2)
        connections = [post(proxy, f"hard {number}", stream=True) for number in range(4)]
        begun = [connection.getresponse() for connection in connections]
        assert [response.status for response in begun] == [200] * 4
        ids = [response.headers["x-slmroute-request-id"] for response in begun]
        first = [response.readline() for response in begun]
        assert all(line.startswith(b"data: ") for line in first)
        process.send_signal(end)
        if end == signal.SIGTERM:  # what is under way comes to its end
            assert all(b"[DONE]" in response.read() for response in begun)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    decided = [event["id"] for event in proxy.events("decision")]
    assert sorted(decided[1:]) == sorted(ids)
    ended = [event["id"] for event in proxy.events("outcome")]
    assert len(ended) == (1 if end == signal.SIGKILL else 5)
    assert set(llm.asked.values()) == {1}


def test_a_budget_that_is_spent_keeps_answers_with_the_slm(
    start: Start, llm: ScriptedServer
) -> None:
    proxy = start({"max_cost_usd": 0.0001})
    reasons = [ask(proxy, f"hard {at}").headers["x-slmroute-reason"] for at in range(3)]
    assert reasons == ["unsure", "llm_failed", "llm_failed"]
    assert llm.total == 1


def test_answers_at_temperature_0_may_be_kept_on_disk(
    start: Start, llm: ScriptedServer, tmp_path: Path
) -> None:
    proxy = start({"cache": tmp_path / "cache.sqlite"})
    for _ in range(2):
        assert content(ask(proxy, "hard", temperature=0)) == "large: hard"
        assert content(ask(proxy, "hard")) == "large: hard"
    assert llm.total == 3
    costs = [event["llm_cost_usd"] for event in proxy.wait_for("outcome", 4)]
    assert costs.count(0.0) == 1


def test_a_damaged_answer_on_disk_is_asked_again(
    start: Start, llm: ScriptedServer, tmp_path: Path
) -> None:
    proxy = start({"cache": tmp_path / "cache.sqlite"})
    for _ in range(2):
        assert content(ask(proxy, "hard", temperature=0)) == "large: hard"
        path = tmp_path / "cache.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE answers SET reply = '{'")
    assert llm.total == 2


def test_answers_that_a_setting_has_drawn_are_not_kept_on_disk(
    start: Start, llm: ScriptedServer, tmp_path: Path
) -> None:
    proxy = start({"cache": tmp_path / "cache.sqlite", "generation": {"temperature": 1}})
    for _ in range(2):
        assert content(ask(proxy, "hard", temperature=0)) == "large: hard"
    assert [body["temperature"] for body in llm.bodies] == [1, 1]


def test_confidences_are_those_that_the_slm_states(start: Start, slm: ScriptedServer) -> None:
    proxy = start()
    slm.otherwise = slm_answers(lambda question: float(question))
    for question, decision in (("0.4999", "llm"), ("0.5001", "slm")):
        response = ask(proxy, question)
        assert response.headers["x-slmroute-decision"] == decision
        assert float(response.headers["x-slmroute-confidence"]) == pytest.approx(float(question))
