"""What a server may do wrong: nothing is lost, nothing is asked twice, the order is kept."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from llm_clients import Llm, Questions
from scripted_server import completion

from slmroute_plugin.llm.exchange import LlmError, LlmReply
from slmroute_plugin.llm.limits import Limits

N = 12
ODD = "question 7"

PASSING: dict[str, Callable[[Any], Any]] = {
    "429": lambda server: server.status(429),
    "429 of another kind": lambda server: server.status(429, {"code": "rate_limit_exceeded"}),
    "429 with an unreadable Retry-After": lambda server: server.status(
        429, headers={"Retry-After": "soon"}
    ),
    "408": lambda server: server.status(408),
    "500": lambda server: server.status(500),
    "502 in a strange form": lambda server: server.status(502, {"code": [1], "type": {"a": 1}}),
    "503": lambda server: server.status(503),
    "529": lambda server: server.status(529),
    "cut before the answer": lambda server: server.cut(),
    "cut within the answer": lambda server: server.cut(b'{"choices": [{"mess'),
    "no JSON": lambda server: server.raw("<html>busy</html>"),
    "half the JSON": lambda server: server.raw('{"choices": [{"mess'),
    "JSON too deep": lambda server: server.raw("[" * 100_000),
    "empty": lambda server: server.raw(""),
    "no object": lambda server: server.body([1, 2]),
    "no choices": lambda server: server.body({"error": {"message": "overloaded"}}),
    "empty choices": lambda server: server.body({"choices": []}),
    "null choices": lambda server: server.body({"choices": None}),
    "choices of another kind": lambda server: server.body({"choices": ["a"]}),
    "an answer broken off": lambda server: server.body(completion("", finish_reason="error")),
    "an error of the choice": lambda server: server.body(
        completion("So", error={"message": "upstream"})
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_of_one_question_costs_one_more_request_and_no_answer(
    name: str, server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    server.faults[ODD] = [PASSING[name](server)]
    replies = llm().ask(questions(N), "faults")
    assert_in_order(replies)
    assert [reply.error for reply in replies] == [None] * N
    assert server.asked == {f"question {i}": 2 if f"question {i}" == ODD else 1 for i in range(N)}


def test_the_first_question_may_fail_too(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    server.faults["question 0"] = [server.cut(), server.status(503), server.status(400)]
    replies = llm().ask(questions(N), "faults")
    assert_in_order(replies)
    assert [i for i, reply in enumerate(replies) if reply.error] == [0]
    assert server.total == N + 2


def test_a_body_that_never_comes_or_never_ends_is_given_up_and_asked_again(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    server.faults["question 3"] = [server.hang()]
    server.faults["question 4"] = [server.trickle()]
    replies = llm(timeout_s=3).ask(questions(N), "faults")
    assert_in_order(replies)
    assert all(reply.text for reply in replies)
    twice = {question for question, count in server.asked.items() if count == 2}
    assert twice == {"question 3", "question 4"}
    assert server.total == N + 2


def test_a_timeout_for_good_says_so(server: Any, llm: Llm, questions: Questions) -> None:
    server.faults["question 0"] = [server.hang(), server.hang()]
    (reply,) = llm(timeout_s=0.2, max_attempts=2).ask(questions(1), "faults")
    assert reply.error == "the server did not answer in time (attempts: 2)"
    assert reply.cost_usd is None


FOR_GOOD: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "null content": (lambda s, c: s.body(c(None)), "no text"),
    "content of another kind": (lambda s, c: s.body(c(5)), "no text"),
    "no message": (lambda s, c: s.body({"choices": [{}]}), "no text"),
    "refusal": (lambda s, c: s.body(c(None, message={"refusal": "I must not"})), "I must not"),
    "content filter": (lambda s, c: s.body(c("So", finish_reason="content_filter")), "filter"),
    "thinking cut off": (lambda s, c: s.body(c("<think>So", finish_reason="length")), "max_tokens"),
    "thinking only": (lambda s, c: s.body(c("", finish_reason="length")), "max_tokens"),
    "400": (lambda s, c: s.status(400, {"message": "the prompt is too long"}), "too long"),
    "413 as text": (lambda s, c: s.status(413, "much too long"), "much too long"),
    "422": (lambda s, c: s.status(422), "HTTP 422"),
    "no text": (lambda s, c: s.body(c("")), "no text (finish_reason stop)"),
    "blanks": (lambda s, c: s.body(c(" \n")), "no text (finish_reason stop)"),
    "thinking alone": (
        lambda s, c: s.body(c("", message={"reasoning_content": "Hm."})),
        "thinking alone",
    ),
    "a tool": (
        lambda s, c: s.body(c(None, message={"tool_calls": [{}]}, finish_reason="tool_calls")),
        "called a tool",
    ),
    # The server has answered others: this question is refused, not the key or the model.
    "401": (lambda s, c: s.status(401, {"message": "not for you"}), "not for you"),
    "403": (lambda s, c: s.status(403, {"message": "moderated"}), "moderated"),
    "404": (lambda s, c: s.status(404, {"message": "no endpoint"}), "no endpoint"),
    "a code": (lambda s, c: s.status(400, {"code": "model_not_found", "message": "?"}), "HTTP 400"),
}


@pytest.mark.parametrize("name", FOR_GOOD)
def test_a_lasting_fault_of_one_question_is_its_reply_and_costs_no_other(
    name: str,
    server: Any,
    llm: Llm,
    questions: Questions,
    assert_in_order: Any,
    completion: Any,
) -> None:
    make, said = FOR_GOOD[name]
    server.faults[ODD] = [make(server, completion)]
    replies = llm().ask(questions(N), "faults")
    assert_in_order(replies)
    assert [i for i, reply in enumerate(replies) if reply.error] == [7]
    assert said in (replies[7].error or "")
    assert set(server.asked.values()) == {1}
    # An error is not kept: the next run asks that question again, and only that one.
    again = llm().ask(questions(N), "faults")
    assert [reply.cached for reply in again] == [i != 7 for i in range(N)]
    assert again[7].text == f"answer to {ODD}"
    assert server.total == N + 1


def test_a_refused_answer_still_costs_what_it_cost(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    server.faults["question 0"] = [server.body(completion(None, message={"refusal": "No."}))]
    (reply,) = llm().ask(questions(1), "faults")
    # 100 tokens at $0.40 and 50 tokens at $1.60 per million.
    assert reply.cost_usd == pytest.approx(0.00012)


def test_a_fault_that_does_not_pass_ends_after_max_attempts(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    server.faults[ODD] = [server.status(500)] * 9
    replies = llm(max_attempts=4).ask(questions(N), "faults")
    assert_in_order(replies)
    assert replies[7].error == "HTTP 500: status 500 (attempts: 4)"
    assert server.asked[ODD] == 4
    assert server.total == N + 3


def test_retry_after_in_seconds_is_honoured(
    server: Any, llm: Llm, questions: Questions, waits: list[float]
) -> None:
    server.faults["question 0"] = [server.status(429, headers={"Retry-After": "99"})]
    llm().ask(questions(1), "faults")
    assert server.asked["question 0"] == 2
    assert waits == [pytest.approx(99, abs=0.01)]


def test_retry_after_in_milliseconds_is_honoured(
    server: Any, llm: Llm, questions: Questions, waits: list[float]
) -> None:
    headers = {"Retry-After-Ms": "400", "Retry-After": "99"}
    server.faults["question 0"] = [server.status(503, headers=headers)]
    llm().ask(questions(1), "faults")
    assert server.asked["question 0"] == 2
    assert waits == [pytest.approx(0.4, abs=0.01)]


def test_retry_after_as_a_date_is_honoured(
    server: Any, llm: Llm, questions: Questions, waits: list[float]
) -> None:
    until = datetime.now(timezone.utc) + timedelta(seconds=500)
    date = format_datetime(until, usegmt=True)
    server.faults["question 0"] = [server.status(429, headers={"Retry-After": date})]
    llm().ask(questions(1), "faults")
    assert server.asked["question 0"] == 2
    assert waits == [pytest.approx(500, abs=100)]


def test_who_asks_to_wait_for_an_hour_is_not_asked_again(
    server: Any, llm: Llm, questions: Questions
) -> None:
    server.faults["question 0"] = [server.status(429, headers={"Retry-After": "3600"})]
    (reply,) = llm().ask(questions(1), "faults")
    assert reply.error == "HTTP 429: status 429 (the server asks to wait for 3600 s)"
    assert server.total == 1


FATAL: dict[str, Callable[[Any], Any]] = {
    "401": lambda server: server.status(401),
    "402": lambda server: server.status(402),
    "403": lambda server: server.status(403),
    "404": lambda server: server.status(404),
    "quota": lambda server: server.status(429, {"message": "pay", "code": "insufficient_quota"}),
    "quota as type": lambda server: server.status(429, {"type": "insufficient_quota"}),
    "model": lambda server: server.status(400, {"message": "?", "code": "model_not_found"}),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_wrong_key_model_or_account_stops_before_the_second_call(
    name: str, server: Any, llm: Llm, questions: Questions
) -> None:
    server.otherwise = FATAL[name](server)
    client = llm()
    with pytest.raises(LlmError, match=r"^gpt-4.1-mini at http.* cannot be asked: HTTP 4\d\d"):
        client.ask(questions(N), "one task")
    assert server.total == 1
    # Nor does the next task of the same run.
    with pytest.raises(LlmError, match="cannot be asked: HTTP"):
        client.ask(questions(N), "another task")
    assert server.total == 1


def test_a_new_key_is_tried(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["question 0"] = [server.status(401)]
    client = llm()
    with pytest.raises(LlmError):
        client.ask(questions(N), "one task")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-right-one")
    assert all(reply.text for reply in client.ask(questions(N), "one task"))
    assert server.authorization[-1] == "Bearer sk-the-right-one"


@pytest.mark.parametrize("name", ["402", "quota"])
def test_what_stops_a_run_halfway_leaves_the_answers_so_far_in_use_and_on_disk(
    name: str, server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    server.faults["question 8"] = [FATAL[name](server)]
    client = llm(max_concurrency=1)
    stopped = client.ask(questions(N), "faults")
    assert_in_order(stopped)
    before = server.total
    assert before < N
    assert sum(reply.text is not None for reply in stopped) == before - 1
    said = {reply.error for reply in stopped if reply.text is None}
    assert said == {
        f"gpt-4.1-mini at {server.url} cannot be asked: "
        + ("HTTP 402: status 402" if name == "402" else "HTTP 429: pay")
    }
    # The next task of the same run is asked again: there may be money by then.
    replies = client.ask(questions(N), "faults")
    assert_in_order(replies)
    assert sum(reply.cached for reply in replies) == before - 1
    assert server.total == N + 1


def test_what_is_on_its_way_when_the_money_runs_out_is_kept(
    server: Any, llm: Llm, questions: Questions
) -> None:
    server.otherwise = server.body(None, after_s=0.3)
    server.faults["question 8"] = [server.status(402)]
    replies = llm(max_concurrency=8).ask(questions(N), "faults")
    answered = sum(reply.text is not None for reply in replies)
    assert 1 < answered == server.total - 1 < N - 1
    assert sum(reply.cached for reply in llm().ask(questions(N), "faults")) == answered


def test_who_waits_for_a_turn_is_sent_away_when_nothing_more_can_be_asked(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0

    async def turn(limits: Limits, tokens: float) -> None:
        nonlocal turns
        turns += 1
        # The others would wait for hours.
        await anyio.sleep(0 if turns <= 2 else 10_000)

    monkeypatch.setattr(Limits, "turn", turn)
    server.otherwise = server.status(402)
    server.faults["question 0"] = [server.body(None)]
    replies = llm(max_concurrency=8).ask(questions(N), "faults")
    assert [reply.text is not None for reply in replies] == [True] + [False] * (N - 1)
    assert server.total == 2
    assert turns > 2


FLAGGED = {
    "code": 403,
    "message": "Your chosen model requires moderation and your input was flagged for violence",
    "metadata": {"reasons": ["violence"]},
}


@pytest.mark.parametrize("flagged", [{0, 1, 2}, {3, 5, 7}])
def test_questions_that_moderation_refuses_cost_no_other_and_no_other_task(
    flagged: set[int],
    server: Any,
    llm: Llm,
    questions: Questions,
    assert_in_order: Any,
) -> None:
    for number in flagged:
        server.faults[f"question {number}"] = [server.status(403, FLAGGED)] * 2
    client = llm()
    replies = client.ask(questions(9), "one task")
    assert_in_order(replies)
    assert {i for i, reply in enumerate(replies) if reply.error} == flagged
    assert all("flagged" in (replies[i].error or "") for i in flagged)
    assert server.total == 9
    again = client.ask(questions(N), "another task")
    assert {i for i, reply in enumerate(again) if reply.error} == flagged
    assert server.total == 9 + 3 + 3


def test_answers_on_disk_are_used_although_nothing_can_be_asked(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm().ask(questions(3), "task")
    server.otherwise = server.status(401)
    replies = llm().ask(questions(5), "task")
    assert [reply.text is not None for reply in replies] == [True] * 3 + [False] * 2
    assert "cannot be asked: HTTP 401" in (replies[4].error or "")
    monkeypatch.setenv("OPENAI_API_KEY", "bad key")
    replies = llm().ask(questions(4), "task")
    assert [reply.text is not None for reply in replies] == [True] * 3 + [False]


def test_an_answer_that_is_always_broken_off_fails_in_the_servers_own_words(
    server: Any, llm: Llm, questions: Questions
) -> None:
    broken = completion("", finish_reason="error", error={"message": "upstream died"})
    server.faults[ODD] = [server.body(broken)] * 3
    replies = llm(max_attempts=3).ask(questions(N), "faults")
    assert replies[7].error == "the server broke off the answer: upstream died (attempts: 3)"
    assert [i for i, reply in enumerate(replies) if reply.error] == [7]
    assert llm().ask(questions(N), "faults")[7].text == f"answer to {ODD}"


def test_an_empty_text_that_an_earlier_version_kept_is_asked_for_again(
    server: Any, llm: Llm, questions: Questions, tmp_path: Path
) -> None:
    llm().ask(questions(1), "task")
    with sqlite3.connect(tmp_path / ".cache" / "llm.sqlite") as cache:
        cache.execute("UPDATE answers SET reply = json_set(reply, '$.text', '')")
    (reply,) = llm().ask(questions(1), "task")
    assert (reply.text, reply.cached) == ("answer to question 0", False)
    assert server.total == 2


def test_an_absent_server_is_found_out_with_the_first_question(
    server: Any, llm: Llm, questions: Questions
) -> None:
    # Port 9 is reserved for a service that nobody offers.
    client = llm(base_url="http://127.0.0.1:9/v1", max_attempts=2)
    with pytest.raises(LlmError, match=r"the server cannot be reached.*attempts: 2"):
        client.ask(questions(1000), "faults")
    assert server.total == 0


def test_a_broken_proxy_setting_is_an_llm_error(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "no-such-scheme://here")
    with pytest.raises(LlmError, match="cannot be asked: ValueError"):
        llm().ask(questions(1), "faults")


@pytest.mark.parametrize(
    ("logprobs", "kept"),
    [
        ({"content": [{"token": "a", "logprob": -0.5}]}, [{"token": "a", "logprob": -0.5}]),
        ({"content": []}, []),
        ({"content": None}, None),
        (None, None),
        ([], None),
        ("a", None),
        ({"content": {"token": "a"}}, None),
        ({"content": [{"token": "a"}]}, None),
        ({"content": [{"token": "a", "logprob": "-0.5"}]}, None),
        ({"content": [{"token": "a", "logprob": -0.5}, None]}, None),
        ({"content": [{"token": "a", "logprob": True}]}, None),
        ({"content": [{"token": 1, "logprob": -0.5}]}, None),
        ({"tokens": ["a"], "token_logprobs": [-0.5]}, None),
    ],
)
def test_log_probabilities_of_a_wrong_shape_cost_no_answer(
    logprobs: Any, kept: Any, server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    server.otherwise = server.body(completion("yes", logprobs=logprobs))
    (reply,) = llm().ask(questions(1), "faults")
    assert (reply.text, reply.logprobs) == ("yes", kept)
    (cached,) = llm().ask(questions(1), "faults")
    assert (cached.text, cached.logprobs) == ("yes", kept)


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": 5}, {"prompt_tokens": -1, "completion_tokens": "5"}],
)
def test_an_answer_without_token_counts_has_no_price_rather_than_none_to_pay(
    usage: Any, server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    server.otherwise = server.body(completion("yes", usage=usage))
    (reply,) = llm().ask(questions(1), "faults")
    assert (reply.text, reply.cost_usd) == ("yes", None)


def test_a_thousand_questions_with_faults_in_every_twentieth(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any, tmp_path: Path
) -> None:
    draw = random.Random(0)
    kinds = [make for name, make in PASSING.items() if name != "JSON too deep"]
    faulty = {f"question {i}" for i in draw.sample(range(1000), 50)}
    for question in faulty:
        server.faults[question] = [draw.choice(kinds)(server)]
    client = llm(max_concurrency=200)
    replies = client.ask(questions(1000), "faults")
    assert len(replies) == 1000
    assert_in_order(replies)
    assert all(reply.text and not reply.cached for reply in replies)
    assert server.asked == {f"question {i}": 1 + (f"question {i}" in faulty) for i in range(1000)}
    assert 1 < server.most_at_once <= 200
    assert client.ask(questions(1000), "faults") == [
        LlmReply(**{**vars(reply), "cached": True}) for reply in replies
    ]
    assert server.total == 1050
    with sqlite3.connect(tmp_path / ".cache" / "llm.sqlite") as cache:
        rows = cache.execute("SELECT model, reply FROM answers").fetchall()
    assert sorted(json.loads(reply)["text"] for _, reply in rows) == sorted(
        f"answer to question {i}" for i in range(1000)
    )
