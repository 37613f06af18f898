"""How fast it is asked: requests under way, requests and tokens a minute."""

from __future__ import annotations

import time
from typing import Any

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
    [{"requests_per_minute": 600}, {"tokens_per_minute": 120_000}],
)
def test_requests_and_tokens_per_minute_hold_over_tasks(
    rate: dict[str, float], server: Any, llm: Llm
) -> None:
    requests = [
        LlmRequest([{"role": "user", "content": f"{i:04}" * 100}], {"max_tokens": 100})
        for i in range(10)
    ]
    client = llm(max_concurrency=10, **rate)
    start = time.monotonic()
    client.ask(requests[:5], "one")
    client.ask(requests[5:], "two")
    # By the server's clock: request i cannot come before i tenths of a second have passed.
    for i, arrival in enumerate(server.all_arrivals):
        assert arrival - start >= 0.1 * i - 0.01
    assert server.total == 10


def test_another_attempt_counts_as_a_request(server: Any, llm: Llm, questions: Questions) -> None:
    server.faults["question 0"] = [server.status(500)] * 4
    start = time.monotonic()
    llm(requests_per_minute=600).ask(questions(1), "task")
    assert len(server.all_arrivals) == 5
    assert server.all_arrivals[-1] - start >= 0.39
