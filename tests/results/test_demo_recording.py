"""The committed recording answers every demo question as the tasks put them today."""

from __future__ import annotations

from typing import Any

import pytest
from checkout import ROOT
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.observation import Answer
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, reply_of

RECORDING = ROOT / "results" / "Qwen2.5-Coder-1.5B-Instruct"


@pytest.mark.parametrize("name", ["slmroute_demo_arithmetic", "slmroute_demo_mmlu"])
def test_every_demo_question_is_answered_and_scored_as_it_was(name: str) -> None:
    route = {"method": "perplexity", "ratio": 1.0, "llm": {"replay": str(RECORDING)}}
    metadata: dict[str, Any] = {"slmroute": {"uq": ["perplexity"], "route": route}}
    manager = TaskManager(include_path=include_path(), include_defaults=False, metadata=metadata)
    task = manager.load([name])["tasks"][name]
    # The template of the SLM, whatever it is, has no part in what is joined on.
    task.build_all_requests(
        rank=0, world_size=1, apply_chat_template=True, chat_template=lambda turns, **_: str(turns)
    )
    for instance in task.instances:
        instance.resps = [Answer("", messages=instance.messages)]
    task.apply_filters()
    replayed = {
        instance.doc_id: task.process_results(instance.doc, [instance.filtered_resps["routed"]])
        for instance in task.instances
    }
    recorded = {row["doc_id"]: row for row in read_samples(newest_sample_files(RECORDING)[name])}
    assert replayed.keys() == recorded.keys()
    # Of the MMLU rows, no more than the final answer is passed on: nothing where there is none.
    for doc_id, row in replayed.items():
        is_empty = not reply_of(recorded[doc_id])
        expected = "the recording holds no text of the answer" if is_empty else None
        assert row["llm_error"] == expected
    for doc_id, row in replayed.items():
        assert (row["acc"], row["answer"]) == (recorded[doc_id]["acc"], recorded[doc_id]["answer"])
