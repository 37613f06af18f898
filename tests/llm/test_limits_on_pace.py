"""How fast it is asked: requests under way, requests and tokens a minute."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from llm_clients import Llm, Questions

from slmroute_plugin.llm.exchange import LlmRequest


def test_no_more_requests_are_under_way_than_allowed(
    server: Any, llm: Llm, questions: Questions
) -> None:
    server.otherwise = server.body(None, after_s=0.02)
    llm(max_concurrency=3).ask(questions(20), "task")
    assert server.most_at_once == 3


@pytest.mark.parametrize(
    "rate",
    # 400 letters are about 100 tokens, and the answer may have 100 more.
    [{"requests_per_minute": 1}, {"tokens_per_minute": 200}],
)
def test_requests_and_tokens_per_minute_hold_over_tasks(
    rate: dict[str, float], server: Any, llm: Llm, waits: list[float]
) -> None:
    requests = [
        LlmRequest([{"role": "user", "content": f"{i:04}" * 100}], {"max_tokens": 100})
        for i in range(10)
    ]
    client = llm(max_concurrency=10, **rate)
    client.ask(requests[:5], "one")
    client.ask(requests[5:], "two")
    # Request i is put off until i minutes after the first.
    assert sorted(round(wait_s / 60) for wait_s in waits) == list(range(10))
    assert server.total == 10


def test_a_request_is_sent_once_its_wait_is_over(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_before: list[int] = []

    async def sleep(delay: float) -> None:
        sent_before.append(server.total)

    monkeypatch.setattr(anyio, "sleep", sleep)
    llm(requests_per_minute=1, max_concurrency=1).ask(questions(4), "task")
    assert sent_before == [0, 1, 2, 3]


def test_another_attempt_counts_as_a_request(
    server: Any, llm: Llm, questions: Questions, waits: list[float]
) -> None:
    server.faults["question 0"] = [server.status(500)] * 4
    llm(requests_per_minute=1).ask(questions(1), "task")
    assert server.total == 5
    # Each of the four failures is followed by a wait of its own, of some milliseconds.
    assert [round(wait_s / 60) for wait_s in waits] == [0, 0, 1, 0, 2, 0, 3, 0, 4]
