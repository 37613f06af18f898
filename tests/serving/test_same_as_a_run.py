"""The proxy's confidences and decisions are those of a routed run of lm-eval, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from openai import OpenAI
from running_proxy import LLM, ROUTE, running_proxy
from scripted_server import ScriptedServer
from served_model import ServedModel

from slmroute_plugin.include_path import include_path
from slmroute_plugin.serving.slm_model import SlmChoice

TASK = "slmroute_demo_arithmetic"
QUESTIONS = 12
TOKENS = 8


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=4, max_position_embeddings=1024, max_length=1024, batch_size=1)


def routed_run(
    lm: Any, method: str, llm_url: str, results: Path, threshold: float
) -> list[dict[str, Any]]:
    """The rows of a routed run, those before routing and those after it, by question."""
    llm = {"model": LLM, "base_url": llm_url}
    route = {"method": method, "threshold": threshold, "llm": llm}
    settings = {"uq": [method], "results": str(results), "route": route, "journal": "off"}
    manager = TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    result = simple_evaluate(
        lm, tasks=[TASK], task_manager=manager, limit=QUESTIONS, bootstrap_iters=0,
        apply_chat_template=True, gen_kwargs=f"max_gen_toks={TOKENS}",
    )  # fmt: skip
    rows = result["samples"][TASK]
    after = {row["doc_id"]: row for row in rows if row["filter"] == "routed"}
    return [
        {**row, "routed": bool(after[row["doc_id"]]["routed"]), "after": after[row["doc_id"]]}
        for row in rows
        if row["filter"] == "slm"
    ]


def conversation(row: dict[str, Any], lm: Any) -> list[dict[str, str]]:
    """The conversation of a row: of the words that its prompt shows the model."""
    prompt = row["arguments"][0][0]
    if not isinstance(prompt, str):  # what a chat API is sent
        (prompt,) = prompt
    if prompt.startswith("["):
        return list(json.loads(prompt))
    text = prompt.split("<|im_start|>user\n", 1)[1].split("<|im_end|>", 1)[0]
    messages = [{"role": "user", "content": text}]
    assert lm.apply_chat_template(messages) == prompt
    return messages


def half_way(rows: list[dict[str, Any]], method: str) -> float:
    """A threshold that routes some, half-way between two confidences."""
    values = sorted({row[f"confidence/{method}"] for row in rows})
    middle = len(values) // 2
    return float((values[middle - 1] + values[middle]) / 2)


def check(rows: list[dict[str, Any]], method: str, proxy: Any, lm: Any) -> None:
    """Ask the proxy every question of the run, and compare."""
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as opened:
        for row in rows:
            messages: Any = conversation(row, lm)
            generation = row["arguments"][0][1]
            response = opened.chat.completions.with_raw_response.create(
                model=ROUTE, messages=messages, max_tokens=TOKENS, stop=generation["until"]
            )
            own = response.headers
            # A run keeps hidden states besides: its sums are in another order.
            expected = pytest.approx(row[f"confidence/{method}"], abs=1e-6)
            assert float(own["x-slmroute-confidence"]) == expected
            assert (own["x-slmroute-decision"] == "llm") == row["routed"]
            answer = response.parse().choices[0].message.content
            reply = row["after"]["filtered_resps"] if row["routed"] else row["resps"]
            while isinstance(reply, list):
                reply = reply[0]
            assert answer == reply
    assert {row["routed"] for row in rows} == {True, False}


@pytest.mark.parametrize("method", ["perplexity", "p_true", "jaccard_degree"])
def test_a_model_in_the_process_decides_as_its_run(
    lm: Any, llm: ScriptedServer, tmp_path: Path, method: str
) -> None:
    threshold = half_way(routed_run(lm, method, llm.url, tmp_path / "first", 0.0), method)
    rows = routed_run(lm, method, llm.url, tmp_path / "second", threshold)
    with running_proxy(
        tmp_path,
        SlmChoice("hf"),
        {"base_url": llm.url},
        threshold=threshold,
        method=method,
        lm=lm,
    ) as proxy:
        check(rows, method, proxy, lm)


@pytest.mark.parametrize("method", ["perplexity", "p_true"])
def test_a_model_behind_a_server_decides_as_its_run(
    lm: Any, slm: ScriptedServer, llm: ScriptedServer, tmp_path: Path, method: str
) -> None:
    slm.otherwise = ServedModel(lm, told=len(lm.tokenizer))
    choice = SlmChoice(slm.url, "model=tiny,num_concurrent=2")
    served = choice.load()
    threshold = half_way(routed_run(served, method, llm.url, tmp_path / "first", 0.0), method)
    rows = routed_run(served, method, llm.url, tmp_path / "second", threshold)
    with running_proxy(
        tmp_path,
        choice,
        {"base_url": llm.url},
        threshold=threshold,
        method=method,
    ) as proxy:
        check(rows, method, proxy, lm)
