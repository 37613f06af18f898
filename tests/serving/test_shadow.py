"""A share of the kept requests goes to the LLM too, within a budget, and is compared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from openai import DefaultHttpxClient, OpenAI
from running_proxy import ROUTE, RunningProxy
from scripted_server import ScriptedServer, completion

from slmroute_plugin.serving import opened_proxy
from slmroute_plugin.serving.shadow import ShadowSettings, same_answer

Start = Callable[..., RunningProxy]


def ask(proxy: RunningProxy, *questions: str, **how: Any) -> None:
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as opened:
        for question in questions:
            messages: Any = [{"role": "user", "content": question}]
            answer: Any = opened.chat.completions.create(model=ROUTE, messages=messages, **how)
            if how.get("stream"):
                list(answer)


def test_kept_requests_are_compared_and_routed_ones_are_not(
    start: Start, llm: ScriptedServer
) -> None:
    proxy = start(shadow=ShadowSettings(1.0))
    llm.faults["easy 0"] = [llm.body(completion(" SMALL "))]
    llm.faults["easy 2"] = [llm.status(400)]
    for at, question in enumerate(("easy 0", "easy 1", "easy 2")):
        ask(proxy, question, stream=True)
        proxy.wait_for("shadow", at + 1)
    ask(proxy, "hard")
    pairs = proxy.events("shadow")
    assert [pair["agrees"] for pair in pairs] == [True, False, None]
    assert [pair["cost_usd"] is None for pair in pairs] == [False, False, True]
    assert pairs[2]["error"] == "HTTP 400: status 400"
    assert "stream" not in llm.bodies[0]
    decided = {event["id"]: event["decision"] for event in proxy.events("decision")}
    assert [decided[pair["id"]] for pair in pairs] == ["slm"] * 3
    assert "large" not in proxy.log.read_text()


def test_the_budget_ends_shadow_requests(start: Start, llm: ScriptedServer) -> None:
    proxy = start(shadow=ShadowSettings(1.0, budget_usd=0.0002))
    for at in range(4):
        ask(proxy, f"easy {at}")
        if at < 2:  # an answer costs $0.00012
            proxy.wait_for("shadow", at + 1)
    assert llm.total == 2


@pytest.mark.parametrize(
    "answer",
    [
        completion("yes " * 10_000, usage=None),
        completion(None, usage={"completion_tokens": 9000, "prompt_tokens": 1}),
        completion(
            "So", usage={"completion_tokens": 9000, "prompt_tokens": 1}, finish_reason="error"
        ),
    ],
    ids=["without a count of its tokens", "without a text", "broken off"],
)
def test_answers_of_every_kind_are_charged(
    start: Start, llm: ScriptedServer, answer: dict[str, Any]
) -> None:
    proxy = start(shadow=ShadowSettings(1.0, budget_usd=0.01))
    llm.otherwise = llm.body(answer)
    ask(proxy, "easy 0")
    proxy.wait_for("shadow")
    ask(proxy, "easy 1")
    with DefaultHttpxClient() as opened:
        text = opened.get(f"{proxy.root}/metrics").text
    assert 'slmroute_shadows_total{outcome="no_budget"} 1.0' in text
    assert llm.total == 1


def test_the_price_of_an_answer_without_a_text_is_logged(start: Start, llm: ScriptedServer) -> None:
    proxy = start(shadow=ShadowSettings(1.0))
    llm.otherwise = llm.body(completion(None))
    ask(proxy, "easy")
    (pair,) = proxy.wait_for("shadow")
    # 100 tokens at $0.40, and 50 at $1.60 per million.
    assert (pair["agrees"], pair["cost_usd"]) == (None, pytest.approx(0.00012))


def test_requests_are_answered_while_a_pair_is_compared(
    start: Start, llm: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_answered = threading.Event()

    def slow(one: str, other: str) -> bool:
        return is_answered.wait(20)

    monkeypatch.setattr(opened_proxy, "same_answer", lambda name: slow)
    proxy = start(shadow=ShadowSettings(1.0))
    ask(proxy, "easy 0")
    while not llm.total:
        time.sleep(0.01)
    ask(proxy, "hard")
    is_answered.set()
    (pair,) = proxy.wait_for("shadow")
    assert pair["agrees"] is True


def test_a_comparison_that_fails_is_logged(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(one: str, other: str) -> bool:
        raise RuntimeError(one)

    monkeypatch.setattr(opened_proxy, "same_answer", lambda name: fails)
    proxy = start(shadow=ShadowSettings(1.0))
    ask(proxy, "easy 0")
    (pair,) = proxy.wait_for("shadow")
    assert (pair["agrees"], pair["error"]) == (None, "RuntimeError")


def test_the_share_is_a_draw_that_the_seed_decides(start: Start, llm: ScriptedServer) -> None:
    proxy = start(shadow=ShadowSettings(0.25, seed=1))
    for at in range(24):
        ask(proxy, f"easy {at}")
    # Of Random(1), these draws are below 0.25.
    from random import Random

    random = Random(1)
    drawn = [f"easy {at}" for at in range(24) if random.random() < 0.25]
    proxy.wait_for("shadow", len(drawn))
    assert sorted(llm.asked) == sorted(drawn)
    assert 2 < len(drawn) < 12


@pytest.mark.parametrize(
    ("rule", "one", "other", "same"),
    [
        ("", "Paris", " paris ", True),
        ("", "It is Paris", "Paris", False),
        ("number", "So it is 7.", "The answer is 7", True),
        ("number", "7", "8", False),
        ("boolean", "Yes, it is.", "True", True),
    ],
)
def test_answers_are_compared_by_words_or_by_a_rule(
    rule: str, one: str, other: str, same: bool
) -> None:
    assert same_answer(rule)(one, other) is same
