"""What answers cost, and the budget that stops asking."""

from __future__ import annotations

from typing import Any

import pytest
from llm_clients import Llm, Questions

from slmroute_plugin.llm.exchange import LlmReply, LlmRequest
from slmroute_plugin.llm.limits import Pace


def test_the_budget_stops_asking_but_not_the_run(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    # 625 tokens at $1.60 per million: a tenth of a cent for each answer.
    usage = {"prompt_tokens": 0, "completion_tokens": 625}
    server.otherwise = server.body(completion("yes", usage=usage))
    client = llm(max_cost_usd=0.0025, max_concurrency=1)
    replies = client.ask(questions(10), "task")
    assert [reply.text for reply in replies] == ["yes"] * 3 + [None] * 7
    refused = LlmReply(error="not asked: max_cost_usd (0.0025) is reached", cost_usd=0.0)
    assert replies[3:] == [refused] * 7
    # It holds for the next task too.
    assert [reply.text for reply in client.ask(questions(4), "next")] == ["yes"] * 3 + [None]
    assert server.total == 3
    # A new run has a budget of its own, and what is on disk is free.
    replies = llm(max_cost_usd=0.0025, max_concurrency=1).ask(questions(10), "task")
    assert [reply.cached for reply in replies] == [True] * 3 + [False] * 7
    assert [reply.text for reply in replies] == ["yes"] * 6 + [None] * 4
    assert server.total == 6


def test_answers_that_the_server_breaks_off_count_too(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 625}
    server.otherwise = server.body(completion("So", usage=usage, finish_reason="error"))
    client = llm(max_cost_usd=0.0025, max_concurrency=1, max_attempts=2)
    assert not any(reply.text for reply in client.ask(questions(5), "task"))
    assert server.total == 3


def test_a_refusal_waits_for_no_turn(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0

    async def counted(pace: Pace, amount: float = 1.0) -> None:
        nonlocal waits
        waits += 1

    monkeypatch.setattr(Pace, "wait", counted)
    client = llm(max_cost_usd=0.0000001, max_concurrency=1, requests_per_minute=60)
    client.ask(questions(20), "task")
    assert server.total == 1
    assert waits == 2  # of requests, and of tokens


def test_concurrency_overshoots_the_budget_by_the_requests_under_way_only(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 625}
    server.otherwise = server.body(completion("yes", usage=usage), after_s=0.02)
    replies = llm(max_cost_usd=0.0025, max_concurrency=8).ask(questions(100), "task")
    answered = sum(reply.text is not None for reply in replies)
    assert 3 <= answered == server.total <= 3 + 8 - 1


def test_a_budget_of_nothing_reads_the_cache_only(
    server: Any, llm: Llm, questions: Questions
) -> None:
    llm().ask(questions(2), "task")
    replies = llm(max_cost_usd=0).ask(questions(4), "task")
    assert [reply.error is None for reply in replies] == [True, True, False, False]
    assert server.total == 2


def test_the_budget_holds_when_the_server_counts_no_tokens(
    server: Any, llm: Llm, completion: Any
) -> None:
    server.otherwise = server.body(completion("yes", usage=None))
    # 4000 letters, about 1000 tokens, at $0.40 per million.
    requests = [LlmRequest([{"role": "user", "content": f"{i:04}" * 1000}]) for i in range(9)]
    replies = llm(max_cost_usd=0.001, max_concurrency=1).ask(requests, "task")
    assert sum(reply.text is not None for reply in replies) == 3


def test_a_budget_for_a_model_of_unknown_price_is_an_error(llm: Llm) -> None:
    with pytest.raises(ValueError, match=r"price of local-model is not known \(known are gpt-4"):
        llm(model="local-model", max_cost_usd=1.0)


def test_a_stated_price_pays_for_answers_and_bounds_them(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    server.otherwise = server.body(completion("yes", usage=usage))
    # 100 tokens at $5 and 50 at $10 per million.
    price = {"input_usd": 5, "output_usd": 10}
    client = llm(model="local-model", price=price, max_cost_usd=0.0025, max_concurrency=1)
    replies = client.ask(questions(10), "task")
    assert [reply.cost_usd for reply in replies] == [pytest.approx(0.001)] * 3 + [0.0] * 7
    # By the hour, at 3,600 tokens a second: 150 tokens are a 24th of a second.
    price = {"gpu_hour_usd": 86.4, "tokens_per_second": 3600}
    (reply,) = llm(model="other", price=price, max_cost_usd=1).ask(questions(1), "task")
    assert reply.cost_usd == pytest.approx(0.001)


def test_a_budget_by_the_hour_needs_a_pace(llm: Llm) -> None:
    with pytest.raises(ValueError, match="add tokens_per_second to it"):
        llm(model="local-model", price={"gpu_hour_usd": 2}, max_cost_usd=1.0)


def test_an_answer_of_unknown_price_costs_null(server: Any, llm: Llm, questions: Questions) -> None:
    (reply,) = llm(model="local-model").ask(questions(1), "task")
    assert (reply.text, reply.cost_usd) == ("answer to question 0", None)
