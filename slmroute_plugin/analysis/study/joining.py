"""The join of each SLM's run with the runs of the LLMs that answered the same questions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from slmroute_plugin.analysis.study.runs import Problem, Setting, TaskRun
from slmroute_plugin.storage.sample_files import rows_lost

_NAMED = 3


def join_runs(
    runs: Sequence[TaskRun], llms: Collection[str]
) -> tuple[list[Setting], list[Problem]]:
    """Join the runs of SLMs with those of LLMs on the same task.

    Args:
        runs: of every model and task. A run with confidences is an SLM's, any other an LLM's.
        llms: models that count as LLMs too although their runs have confidences.

    Returns:
        A setting for each run of an SLM, sorted by model and task, and a problem for each LLM
        that did not answer the SLM's questions.
    """
    slms = [run for run in runs if run.scores]
    strong = [run for run in runs if not run.scores or run.model in llms]
    settings: list[Setting] = []
    problems: list[Problem] = []
    for every in sorted(slms, key=lambda run: (run.model, run.task)):
        rivals = [run for run in strong if run.task == every.task and run.model != every.model]
        rivals.sort(key=lambda run: run.model)
        slm, lost = _without_lost(every, rivals)
        problems.extend(lost)
        joined: dict[str, TaskRun] = {}
        for llm in rivals:
            aligned = _aligned(slm, llm)
            if isinstance(aligned, Problem):
                problems.append(aligned)
            else:
                joined[llm.model] = aligned
        settings.append(Setting(slm, joined))
    return settings, [*problems, *_without_llm(slms, strong)]


def _without_lost(slm: TaskRun, llms: Iterable[TaskRun]) -> tuple[TaskRun, list[Problem]]:
    """Leave out the questions that an LLM lacks because a line of its file is damaged.

    Returns:
        The SLM's run without these questions, and a problem for each LLM that lacks some.
    """
    lost = np.zeros(len(slm.doc_id), dtype=bool)
    problems: list[Problem] = []
    for llm in llms:
        missing = ~np.isin(slm.doc_id, llm.doc_id)
        if 0 < missing.sum() <= rows_lost(llm.unread) and not missing.all():
            lost |= missing
            where = f"{slm.model} and {llm.model}, {slm.task}"
            count = _count(slm.doc_id[missing], len(slm.doc_id))
            problems.append(Problem(where, f"{count} in lines that cannot be read: left out"))
    return (slm.taken(np.flatnonzero(~lost)) if lost.any() else slm), problems


def _without_llm(slms: Iterable[TaskRun], strong: Sequence[TaskRun]) -> Iterator[Problem]:
    """Yield a problem for each LLM that answered some of the SLMs' tasks, but not all."""
    tasks = sorted({run.task for run in slms})
    for model in sorted({run.model for run in strong}):
        there = {run.task for run in strong if run.model == model}
        missing = [task for task in tasks if task not in there]
        if missing and len(missing) < len(tasks):
            yield Problem(model, f"has no samples of {', '.join(missing)}: not routed to there")


def _aligned(slm: TaskRun, llm: TaskRun) -> TaskRun | Problem:
    """Put the LLM's rows in the order of the SLM's; return a problem if the questions differ."""
    at = np.searchsorted(llm.doc_id, slm.doc_id)
    at[at == len(llm.doc_id)] = 0
    where = f"{slm.model} and {llm.model}, {slm.task}"
    missing = slm.doc_id[llm.doc_id[at] != slm.doc_id]
    if len(missing):
        return Problem(where, f"{_count(missing, len(slm.doc_id))} not in {llm.path}")
    other = slm.doc_id[llm.doc_hash[at] != slm.doc_hash]
    if len(other):
        return Problem(
            where,
            f"{_count(other, len(slm.doc_id))} other questions in {llm.path} than in {slm.path}: "
            "run one of the models again on the same data",
        )
    # The same rows need no copy: all SLMs then share those of an LLM.
    is_same = len(at) == len(llm.doc_id) and bool((at == np.arange(len(at))).all())
    return replace(llm if is_same else llm.taken(at), scores={})


def _count(doc_ids: Any, rows: int) -> str:
    """Say how many questions are meant, out of how many rows, and name the first of them."""
    named = ", ".join(map(str, doc_ids[:_NAMED]))
    more = ", …" if len(doc_ids) > _NAMED else ""
    return f"{len(doc_ids)} of {rows} questions (doc_id {named}{more}) are"
