"""A folder of results, read into a `Study`: SLMs, each beside the LLMs that answered the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slmroute_plugin.analysis.study.costs import estimated_costs
from slmroute_plugin.analysis.study.runs import Problem, Scores, Setting, Study, TaskRun
from slmroute_plugin.analysis.study.sample_columns import (
    Wanted,
    distinct_texts,
    read_columns,
)
from slmroute_plugin.llm.prices import prices
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    TASK_PREFIX,
    TRAINING_SUFFIX,
    SampleFileError,
    prompt_of,
    read_samples,
    reply_of,
    sample_files,
)

_NAMED = 3


class SampleText(NamedTuple):
    """What was asked and answered; "" where the file holds no text."""

    doc_id: int
    question: str
    answer: str
    target: str


class UnknownName(ValueError):
    """A model was named that the results do not hold; the text offers the nearest."""


class SampleFile(NamedTuple):
    """The newest samples of one model and task."""

    model: str
    task: str
    path: Path


def read_study(
    results: Path,
    llms: Collection[str] = (),
    done: Callable[[int, int], None] = lambda read, total: None,
) -> Study:
    """Read the newest samples of every model and task below a folder of results.

    A run with confidences is an SLM's, a plain one an LLM's. What an SLM and an LLM answered is
    joined on task, doc_id and doc_hash: a question that the LLM lacks, or that differs, costs
    that LLM on that task. Training tasks (`…_train`) are left out.

    Args:
        results: the folder, which holds one folder per model, as lm-eval writes them.
        llms: models to take as LLMs too although their runs have confidences.
        done: called as files are read, with their number so far and in all.

    Raises:
        UnknownName: `llms` names a model that is not there.
    """
    files, notes = newest_files(results)
    models = {file.model for file in files}
    if strays := [name for name in llms if name not in models]:
        raise UnknownName(
            f"{results} holds no model {strays[0]!r}. {did_you_mean(strays[0], models)}"
        )
    runs: list[TaskRun] = []
    problems: list[Problem] = []
    done(0, len(files))
    # Parsing holds no lock of Python's, so threads read files side by side.
    with ThreadPoolExecutor(os.cpu_count()) as readers:
        for number, found in enumerate(readers.map(_run_or_problem, files), 1):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                runs.append(found)
                problems.extend(_shortfalls(found))
            done(number, len(files))
    settings, mismatches = _joined(runs, llms)
    llm_runs = [run for one in settings for run in one.llms.values()]
    if estimated := sorted({run.model for run in llm_runs if run.cost_is_estimated}):
        notes.append(
            f"Dollars of {', '.join(estimated)} are estimated from the length of the texts (four "
            "letters a token), where a run does not tell them."
        )
    return Study(settings, [*problems, *mismatches], notes)


def _run_or_problem(file: SampleFile) -> TaskRun | Problem:
    try:
        return read_run(file.path, file.model, file.task)
    except (SampleFileError, OSError) as error:
        return Problem(f"{file.model}, {file.task}", str(error))


def read_run(path: Path, model: str, task: str) -> TaskRun:
    """One model's answers to one task.

    Raises:
        SampleFileError: the file cannot be used; the text names it, and the line if it can.
    """
    wanted, table = read_columns(path)
    table = table.sort_by("doc_id")
    correct = _correct(table, "acc")
    costs = _costs(path, model, wanted, table)
    return TaskRun(
        model=model,
        task=task,
        doc_id=table["doc_id"].to_numpy(),
        doc_hash=np.asarray(table["doc_hash"].to_pylist(), dtype=np.bytes_),
        correct=correct,
        cost_usd=costs,
        scores={
            method: Scores(
                table[f"confidence/{method}"].to_numpy().astype(np.float64),
                _correct(table, f"acc/{method}") if f"acc/{method}" in wanted.numbers else correct,
                ", ".join(distinct_texts(table, f"fitted_on/{method}")),
            )
            for method in wanted.methods
        },
        path=path,
        cost_is_estimated="cost_usd" not in wanted.numbers and bool(np.isfinite(costs).any()),
    )


def sample_texts(run: TaskRun) -> Iterator[SampleText]:
    """What was asked and answered, read from the file anew; in the file's order."""
    for row in read_samples(run.path):
        if row.get("filter") == SLM_FILTER:
            yield SampleText(int(row["doc_id"]), _question(row), reply_of(row), _target(row))


def newest_files(results: Path) -> tuple[list[SampleFile], list[str]]:
    """What is read, and notes where there is more than one run. Training tasks are left out."""
    found: list[SampleFile] = []
    notes: list[str] = []
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        for task, paths in sample_files(folder).items():
            if task.endswith(TRAINING_SUFFIX):
                continue
            found.append(SampleFile(folder.name, task.removeprefix(TASK_PREFIX), paths[-1]))
            if len(paths) > 1:
                notes.append(
                    f"{folder.name}, {task}: {len(paths)} runs, of which the newest was taken "
                    f"({paths[-1].name})"
                )
    return found, notes


def _shortfalls(run: TaskRun) -> Iterator[Problem]:
    """What leaves figures of a run undefined, although its file can be read."""
    where = f"{run.model}, {run.task}"
    if len(run.doc_id) == 1:
        yield Problem(where, f"{run.path} has one row only: no figure can be trusted")
    for method, scores in run.scores.items():
        if not scores.known.any():
            rows = len(run.doc_id)
            yield Problem(where, f"{run.path}: `confidence/{method}` is null in all rows ({rows})")


def _correct(table: Any, name: str) -> Any:
    return table[name].to_numpy() == 1.0


def _costs(path: Path, model: str, wanted: Wanted, table: Any) -> Any:
    if "cost_usd" in wanted.numbers:
        return table["cost_usd"].to_numpy().astype(np.float64)
    if not wanted.methods and model in prices():
        costs = estimated_costs(model, read_samples(path))
        return np.asarray([costs.get(doc_id, np.nan) for doc_id in table["doc_id"].to_pylist()])
    return np.full(len(table), np.nan)


def _joined(runs: Sequence[TaskRun], llms: Collection[str]) -> tuple[list[Setting], list[Problem]]:
    slms = [run for run in runs if run.scores]
    strong = [run for run in runs if not run.scores or run.model in llms]
    settings: list[Setting] = []
    problems: list[Problem] = []
    for slm in sorted(slms, key=lambda run: (run.model, run.task)):
        joined: dict[str, TaskRun] = {}
        for llm in sorted(strong, key=lambda run: run.model):
            if llm.task != slm.task or llm.model == slm.model:
                continue
            aligned = _aligned(slm, llm)
            if isinstance(aligned, Problem):
                problems.append(aligned)
            else:
                joined[llm.model] = aligned
        settings.append(Setting(slm, joined))
    return settings, [*problems, *_without_llm(slms, strong)]


def _without_llm(slms: Iterable[TaskRun], strong: Sequence[TaskRun]) -> Iterator[Problem]:
    models = sorted({run.model for run in strong})
    tasks = sorted({run.task for run in slms})
    for model in models:
        there = {run.task for run in strong if run.model == model}
        missing = [task for task in tasks if task not in there]
        if missing and len(missing) < len(tasks):
            yield Problem(model, f"has no samples of {', '.join(missing)}: not routed to there")


def _aligned(slm: TaskRun, llm: TaskRun) -> TaskRun | Problem:
    """The LLM's run with the SLM's rows in the SLM's order, or why there is none."""
    at = np.searchsorted(llm.doc_id, slm.doc_id)
    at[at == len(llm.doc_id)] = 0
    missing = slm.doc_id[llm.doc_id[at] != slm.doc_id]
    where = f"{slm.model} and {llm.model}, {slm.task}"
    if len(missing):
        return Problem(where, f"{_count(missing, len(slm.doc_id))} not in {llm.path}")
    other = slm.doc_id[llm.doc_hash[at] != slm.doc_hash]
    if len(other):
        return Problem(
            where,
            f"{_count(other, len(slm.doc_id))} other questions in {llm.path} than in {slm.path}: "
            "run one of the models again on the same data",
        )
    return TaskRun(
        llm.model, llm.task, slm.doc_id, slm.doc_hash, llm.correct[at], llm.cost_usd[at],
        path=llm.path, cost_is_estimated=llm.cost_is_estimated,
    )  # fmt: skip


def _count(doc_ids: Any, rows: int) -> str:
    named = ", ".join(str(each) for each in doc_ids[:_NAMED])
    more = ", …" if len(doc_ids) > _NAMED else ""
    return f"{len(doc_ids)} of {rows} questions (doc_id {named}{more}) are"


def _question(row: Mapping[str, Any]) -> str:
    doc = row.get("doc")
    if isinstance(doc, Mapping) and isinstance(doc.get("question"), str):
        return str(doc["question"])
    return prompt_of(row)


def _target(row: Mapping[str, Any]) -> str:
    target = row.get("target")
    if isinstance(target, list):
        return "; ".join(str(each) for each in target)
    return "" if target is None else str(target)
