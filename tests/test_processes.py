"""Routing and judging by processes that share a task: one decision, and no question asked twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from scripted_server import ScriptedServer, completion

MEET = """
import json, sys
import torch.distributed as processes
rank, meeting, settings = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
processes.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
"""
# Neither leaves while the other may still wait for it.
PART = """
processes.barrier()
processes.destroy_process_group()
"""

# Each process decides about its share; then about what both hold.
DECIDE = (
    """
from slmroute_plugin.processes import is_first_of_equals
from slmroute_plugin.routing.decision import decide
from slmroute_plugin.routing.policy import Ratio
shares = [[0.9, 0.1, None], [0.2, 0.8]]
names = [[b"a", b"b", b"c"], [b"d", b"e"]]
own = decide(Ratio(0.6), shares[rank], names[rank])
copied = decide(Ratio(0.6), shares[0], names[0])
work = [is_first_of_equals(["same"]), is_first_of_equals([str(rank)])]
print(json.dumps([own, copied, work]))
"""
    + PART
)

# A task's filters, as lm-eval applies them: to all answers in both processes, as it does without
# a GPU for each; then to each process's share.
FILTER = (
    """
from lm_eval.tasks import TaskManager
from slmroute_plugin.include_path import include_path
from slmroute_plugin.observation import Answer
name = "slmroute_demo_arithmetic"
found = []
for world_size in (1, 2):
    manager = TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    task = manager.load([name])["tasks"][name]
    task.build_all_requests(limit=6, rank=rank if world_size > 1 else 0, world_size=world_size)
    for instance in task.instances:
        confidence = {"perplexity": instance.doc_id / 10}
        text = f"It is {instance.doc_id}."
        instance.resps = [Answer(text, confidence=confidence, messages=instance.messages)]
    task.apply_filters()
    for instance in task.instances:
        for which, answer in instance.filtered_resps.items():
            row = task.process_results(instance.doc, [answer])
            found.append([world_size, instance.doc_id, which, row])
print(json.dumps(found))
"""
    + PART
)


def in_two_processes(script: str, folder: Path, settings: dict[str, Any]) -> list[Any]:
    """What each of two processes prints last, as JSON."""
    command = [sys.executable, "-c", MEET + script]
    more = [str(folder / "meeting"), json.dumps(settings)]
    running = [
        subprocess.Popen([*command, str(rank), *more], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [process.communicate(timeout=600)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    return [json.loads(one.splitlines()[-1]) for one in said]


def test_a_ratio_is_taken_over_the_shares_of_all_processes(tmp_path: Path) -> None:
    said = in_two_processes(DECIDE, tmp_path, {})
    # Three of the five: what has no confidence, 0.1 and 0.2; both ask for their own.
    assert [own for own, _, _ in said] == [[[False, True, True], True], [[True, False], True]]
    # Two of the three; the first one asks.
    copied = [False, True, True]
    assert [both for _, both, _ in said] == [[copied, True], [copied, False]]
    assert [work for _, _, work in said] == [[True, True], [False, True]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Answers 7, and judges everything to be right."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-K3y0nlyF0rTheseTests")
    scripted = ScriptedServer()

    async def answer(request: web.Request, question: str) -> web.StreamResponse:
        text = "CORRECT" if "Answer to grade" in question else "The answer is 7."
        return web.json_response(completion(text))

    scripted.otherwise = answer
    scripted.start()
    yield scripted
    scripted.stop()


@pytest.mark.slow
def test_processes_that_share_a_task_ask_the_llm_and_the_judge_once(
    server: ScriptedServer, tmp_path: Path
) -> None:
    llm = {"model": "gpt-4.1-mini", "base_url": server.url, "cache": None}
    route = {"method": "perplexity", "ratio": 0.5, "llm": llm}
    settings = {"uq": ["perplexity"], "results": str(tmp_path), "route": route, "judge": llm}
    first, second = in_two_processes(FILTER, tmp_path, settings)
    copied = [one for one in first if one[0] == 1]
    shared = [one for one in first + second if one[0] == 2]
    for rows in (copied, shared):
        routed = {doc: row for _, doc, which, row in rows if which == "routed"}
        assert {doc for doc, row in routed.items() if row["routed"]} == {0, 1, 2}
        assert [routed[doc]["answer"] for doc in range(6)] == ["7", "7", "7", "3", "4", "5"]
        assert {row["scored_by"] for _, _, _, row in rows} == {"judge:gpt-4.1-mini"}
        assert {row["acc"] for _, _, _, row in rows} == {1.0}
        assert sum(row.get("cost_usd", 0) for _, _, _, row in rows) == pytest.approx(3 * 0.00012)
    # Six answers and three of the LLM's are judged: once where both processes hold all of them,
    # and once more where each holds a share.
    graded = [question for question in server.asked if "Answer to grade" in question]
    assert len(graded) == 6 + 3
    assert len(server.asked) == 3 + len(graded)
    assert set(server.asked.values()) == {2}
