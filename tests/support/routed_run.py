"""Routed runs of lm-eval, and a proxy's answers to the same questions, compared one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from openai import OpenAI
from running_proxy import LLM, ROUTE

from slmroute_plugin.include_path import include_path

TASK = "slmroute_demo_arithmetic"
QUESTIONS = 12
TOKENS = 8


def samples(
    lm: Any, settings: dict[str, Any], task: str, questions: int, tokens: int
) -> list[dict[str, Any]]:
    """The samples of a run."""
    manager = TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    result = simple_evaluate(
        lm, tasks=[task], task_manager=manager, limit=questions, bootstrap_iters=0,
        apply_chat_template=True, gen_kwargs=f"max_gen_toks={tokens}",
    )  # fmt: skip
    rows: list[dict[str, Any]] = result["samples"][task]
    return rows


def routed_run(
    lm: Any,
    method: str,
    llm_url: str,
    results: Path,
    threshold: float | Path,
    questions: int = QUESTIONS,
    tokens: int = TOKENS,
) -> list[dict[str, Any]]:
    """The rows of a routed run before routing, each with its row after it, by question."""
    llm = {"model": LLM, "base_url": llm_url}
    name = "threshold_from" if isinstance(threshold, Path) else "threshold"
    value = str(threshold) if isinstance(threshold, Path) else threshold
    route = {"method": method, name: value, "llm": llm}
    settings = {"uq": [method], "results": str(results), "route": route, "journal": "off"}
    rows = samples(lm, settings, TASK, questions, tokens)
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


def check(
    rows: list[dict[str, Any]],
    method: str,
    proxy: Any,
    lm: Any,
    tokens: int = TOKENS,
    tolerance: float = 1e-6,
) -> None:
    """Ask the proxy every question of the run, and compare."""
    differences: list[float] = []
    with OpenAI(base_url=proxy.url, api_key="any", max_retries=0) as opened:
        for row in rows:
            messages: Any = conversation(row, lm)
            generation = row["arguments"][0][1]
            response = opened.chat.completions.with_raw_response.create(
                model=ROUTE, messages=messages, max_tokens=tokens, stop=generation["until"]
            )
            own = response.headers
            confidence = float(own["x-slmroute-confidence"])
            differences.append(abs(confidence - row[f"confidence/{method}"]))
            assert (own["x-slmroute-decision"] == "llm") == row["routed"]
            answer = response.parse().choices[0].message.content
            reply = row["after"]["filtered_resps"] if row["routed"] else row["resps"]
            while isinstance(reply, list):
                reply = reply[0]
            assert answer == reply
    # A run keeps hidden states besides: its sums are in another order.
    assert max(differences) <= tolerance, differences
    assert {row["routed"] for row in rows} == {True, False}
