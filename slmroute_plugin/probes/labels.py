"""The labels that trained methods learn: whether the answer is right, or whether an LLM gains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    is_unanswered,
    newest_sample_files,
    read_samples,
)

Target = Literal["right", "gain"]
Label = Callable[[Mapping[str, Any], Path], float]
"""A function that returns the label of a sample of a file: 1.0, 0.0, or NaN if it has none."""


def correctness_of(sample: Mapping[str, Any], path: Path) -> float:
    """Return 1.0 if the answer of a sample is right, 0.0 if it is wrong.

    Raises:
        ValueError: the sample does not say.
    """
    if is_unanswered(sample):
        raise ValueError(
            f"{path}, doc_id {sample.get('doc_id')}: the question was routed before the model "
            "answered it. Run the task again without `when: before`."
        )
    if sample.get("acc") not in (0, 1):
        raise ValueError(
            f"{path}, doc_id {sample.get('doc_id')}: `acc` must be 0 or 1, not "
            f"{sample.get('acc')!r}. Run the task again."
        )
    return float(sample["acc"])


def label_for(task: str, llm: Path | None) -> Label:
    """Return the label of a task's samples.

    Without an LLM, it is whether the answer is right. With one, it is 0.0 where the LLM is right
    and the answer wrong, so that routing gains, and else 1.0; NaN where the LLM has no answer.

    Args:
        task: The name of the task.
        llm: The LLM's folder of results, with samples of the same tasks; None without an LLM.

    Raises:
        ValueError: The LLM's samples cannot be read. The label raises it where the LLM was asked
            another question.
    """
    if llm is None:
        return correctness_of
    path = newest_sample_files(llm).get(task)
    answers = {} if path is None else _answers(path)

    def gain(sample: Mapping[str, Any], own: Path) -> float:
        right = correctness_of(sample, own)
        answer = answers.get(sample["doc_id"])
        if answer is None or path is None:
            return math.nan
        if answer["doc_hash"] != sample.get("doc_hash"):
            raise ValueError(
                f"{path}, doc_id {sample['doc_id']}: another question than in {own}. Run one of "
                "the models again on the same data."
            )
        return 1.0 if right else 1.0 - correctness_of(answer, path)

    return gain


def _answers(path: Path) -> dict[int, Mapping[str, Any]]:
    """Read what an LLM's samples say of each question, by its `doc_id`."""
    kept = ("doc_id", "doc_hash", "acc")
    return {
        row["doc_id"]: {name: row.get(name) for name in kept}
        for row in read_samples(path, lambda _: None)
        if row.get("filter") == SLM_FILTER and "doc_id" in row
    }
