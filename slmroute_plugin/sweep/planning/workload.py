"""The tokens that a question costs, from `workload.yaml` or from samples that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    TASK_PREFIX,
    TRAINING_SUFFIX,
    SampleFileError,
    UnreadLine,
    newest_sample_files,
    prompt_of,
    read_samples,
    reply_of,
)

_ROWS_READ = 100


class TaskWork(NamedTuple):
    """The work of one task.

    Attributes:
        rows: the number of its rows.
        prompt: the tokens of a prompt.
        reply: the tokens of a reply.
        is_free: whether answers are free-form, so that a judge scores them.
    """

    rows: int
    prompt: float
    reply: float
    is_free: bool


class Ratios(NamedTuple):
    """The ratios by which tokens become work.

    Attributes:
        replies: the number of replies to a question when all methods run.
        further_prompt: the tokens that restating and follow-ups add then.
        flops: the floating-point operations of the GPU in a second.
        prompt_share: the share of these that reading prompts reaches.
        reply_share: the share of these that writing replies reaches.
        vllm_prompt_share: the share of these that reading prompts reaches in vLLM.
        vllm_reply_share: the share of these that writing replies reaches in vLLM.
        judge_prompt: the tokens of a judge's instructions.
        judge_reply: the tokens of its verdict.
    """

    replies: float
    further_prompt: float
    flops: float
    prompt_share: float
    reply_share: float
    vllm_prompt_share: float
    vllm_reply_share: float
    judge_prompt: float
    judge_reply: float


@cache
def _stated() -> Mapping[str, Any]:
    """Read `workload.yaml`."""
    import yaml

    file = files("slmroute_plugin.sweep.planning").joinpath("workload.yaml")
    text = file.read_text(encoding="utf-8")
    stated: Mapping[str, Any] = yaml.safe_load(text)
    return stated


def ratios() -> Ratios:
    """Return the ratios that `workload.yaml` states."""
    methods, gpu, judge = (_stated()[name] for name in ("methods", "gpu", "judge"))
    return Ratios(
        methods["replies"], methods["further_prompt"], gpu["flops"], gpu["prompt_share"],
        gpu["reply_share"], gpu["vllm_prompt_share"], gpu["vllm_reply_share"], judge["prompt"],
        judge["reply"],
    )  # fmt: skip


def stated_work(task: str) -> TaskWork | None:
    """Return the work that `workload.yaml` states for a task of ours; None for other tasks."""
    name = task.removeprefix(TASK_PREFIX)
    entry = _stated()["tasks"].get(name.removesuffix(TRAINING_SUFFIX))
    if entry is None:
        return None
    rows = entry["train" if name.endswith(TRAINING_SUFFIX) else "rows"]
    return TaskWork(rows, entry["prompt"], entry["reply"], entry["kind"] == "free")


def measured_work(results: Path) -> dict[str, TaskWork]:
    """Measure the work of every task that some model's samples are there for.

    One model's newest samples are read for each task, and a hundred rows of them. A token is taken
    as four letters.
    """
    measured: dict[str, TaskWork] = {}
    if not results.is_dir():
        return measured
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        for task, path in newest_sample_files(folder).items():
            stated = stated_work(task)
            if stated and task not in measured and (lengths := list(_lengths(path))):
                prompt, reply = (sum(part) / len(lengths) for part in zip(*lengths, strict=True))
                # Where texts have been removed from samples, there is nothing to measure.
                if prompt and reply:
                    measured[task] = stated._replace(prompt=prompt, reply=reply)
    return measured


def _lengths(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the tokens of prompt and reply of the first rows of a sample file."""
    try:
        for row in islice(read_samples(path, _named_later), _ROWS_READ):
            if row.get("filter") == SLM_FILTER:
                yield (
                    estimated_tokens(len(prompt_of(row))), estimated_tokens(len(reply_of(row)))
                )  # fmt: skip
    except SampleFileError:  # which the report will name
        return


def _named_later(line: UnreadLine) -> None:
    """Say nothing of a line without a row: the report names it, and the figure is a rough one."""
