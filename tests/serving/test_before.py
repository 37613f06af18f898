"""A method of the prompt alone: the decision comes before the SLM's answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI
from running_proxy import ROUTE, RunningProxy
from scripted_server import ScriptedServer, completion

from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.serving.connected_slm import ConnectedSlm
from slmroute_plugin.serving.slm_model import SlmChoice

Start = Callable[..., RunningProxy]


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=2, max_position_embeddings=256, max_length=256)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of questions that the SLM answers, by call."""
    sizes: list[int] = []
    observe = TransformersBackend.observe

    def counting(self: Any, questions: Any, signals: Any, seed: int) -> Any:
        sizes.append(len(questions))
        return observe(self, questions, signals, seed)

    monkeypatch.setattr(TransformersBackend, "observe", counting)
    return sizes


def ask(proxy: RunningProxy) -> Any:
    messages: Any = [{"role": "user", "content": "What is 3 + 4?"}]
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as opened:
        return opened.chat.completions.with_raw_response.create(model=ROUTE, messages=messages)


def started(start: Start, lm: Any, threshold: Any) -> RunningProxy:
    prices = {"HFLM": ModelPrice(input_usd=1e6, output_usd=1e6)}
    choice = SlmChoice("hf", prices=prices)
    return start(choice=choice, lm=lm, method="p_ik", threshold=threshold)


def test_what_is_routed_is_not_answered(start: Start, lm: Any, answered: list[int]) -> None:
    proxy = started(start, lm, "inf")
    response = ask(proxy)
    assert response.headers["x-slmroute-decision"] == "llm"
    assert float(response.headers["x-slmroute-confidence"]) > 0
    assert answered == []
    (decision,) = proxy.wait_for("decision")
    # The prompts that the method reads, at a dollar a token.
    assert decision["slm_cost_usd"] > 5
    assert decision["slm_cost_usd"] == pytest.approx(round(decision["slm_cost_usd"]))


def test_what_is_kept_is_answered(start: Start, lm: Any, answered: list[int]) -> None:
    response = ask(started(start, lm, 0.0))
    assert response.headers["x-slmroute-decision"] == "slm"
    assert answered == [1]


def test_the_slm_answers_what_the_llm_does_not(
    start: Start, lm: Any, llm: ScriptedServer, answered: list[int]
) -> None:
    llm.otherwise = llm.status(500)
    response = ask(started(start, lm, "inf"))
    assert response.headers["x-slmroute-reason"] == "llm_failed"
    assert response.parse().choices[0].message.content
    assert answered == [1]


def test_where_both_fail_the_client_gets_the_llms_error(
    start: Start, slm: ScriptedServer, llm: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: Any) -> None:
        raise ZeroDivisionError

    proxy = by_server(start, slm)
    monkeypatch.setattr(ConnectedSlm, "answer", fail)
    llm.otherwise = llm.status(500)
    with pytest.raises(openai.InternalServerError, match="mini did not answer"):
        ask(proxy)


def by_server(start: Start, slm: ScriptedServer) -> RunningProxy:
    """A proxy that routes everything, by a server's probability of Yes."""
    likely = [{"token": word, "logprob": math.log(p)} for word, p in (("Yes", 0.7), ("No", 0.2))]
    logprobs = {"content": [{**likely[0], "top_logprobs": likely}]}
    slm.otherwise = slm.body(completion("Yes", logprobs=logprobs))
    return start(choice=SlmChoice(slm.url, "model=tiny"), method="p_ik", threshold="inf")


def test_a_server_decides_by_the_prompt_too(start: Start, slm: ScriptedServer) -> None:
    proxy = by_server(start, slm)
    before = slm.total
    response = ask(proxy)
    assert response.headers["x-slmroute-decision"] == "llm"
    assert float(response.headers["x-slmroute-confidence"]) == pytest.approx(0.7 / 0.9)
    assert slm.total == before + 1
    assert slm.bodies[-1]["max_tokens"] == 1
