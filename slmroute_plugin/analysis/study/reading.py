"""Reading a folder of results into a `Study`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slmroute_plugin.analysis.study.costs import NO_PRICES, Pricing
from slmroute_plugin.analysis.study.joining import join_runs
from slmroute_plugin.analysis.study.runs import Problem, Scores, Setting, Study, TaskRun
from slmroute_plugin.analysis.study.sample_columns import distinct_texts, read_columns
from slmroute_plugin.analysis.study.sample_file import SampleFile, shown_name
from slmroute_plugin.analysis.study.stock_rows import answer_text, answering_lines
from slmroute_plugin.analysis.study.training import training_files
from slmroute_plugin.analysis.study.work import RowWork, decides_before
from slmroute_plugin.analysis.workers import Workers, done_by
from slmroute_plugin.llm.model_price import PriceList
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.storage.column_names import COMBINES, CONFIDENCE, CORRECT, FITTED_ON
from slmroute_plugin.storage.sample_files import (
    TRAINING_SUFFIX,
    SampleFileError,
    UnreadLine,
    lines_in_words,
    prompt_of,
    routes_before,
    sample_files,
)

MUCH = 30_000_000
"""The bytes of sample files that several processes read sooner than one does."""


class SampleText(NamedTuple):
    """The texts of one row: question, answer and target; "" where the file holds no text."""

    doc_id: int
    question: str
    answer: str
    target: str


class UnknownName(ValueError):
    """The error for a model that the results do not hold; its text offers the nearest name."""


def read_study(
    results: Path,
    llms: Collection[str] = (),
    done: Callable[[int, int], None] = lambda read, total: None,
    prices: PriceList | None = None,
    pool: Workers = None,
) -> Study:
    """Read the newest samples of every model and task below a folder of results.

    A run with confidences is an SLM's, a plain run an LLM's. The answers of an SLM and an LLM are
    joined on task, doc_id and doc_hash. If a question is missing from the LLM's run or differs
    there, that LLM is left out on that task. Of training tasks (`…_train`) those with confidences
    are read, and stand beside their data set.

    Args:
        results: the folder, which holds one folder per model, as lm-eval writes them.
        llms: models that count as LLMs too although their runs have confidences.
        done: called as files are read, with their number so far and in all.
        prices: the prices that a user states, by model.
        pool: the processes that read, if there is much to read.

    Raises:
        UnknownName: `llms` names a model that the folder does not hold.
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
    for run in _all_read(files, prices, pool, lambda read: done(read, len(files))):
        if isinstance(run, Problem):
            problems.append(run)
        else:
            runs.append(run)
            problems.extend(_shortfalls(run))
    settings, mismatches = join_runs(runs, llms)
    settings, damaged = with_training(results, settings, pool)
    problems += damaged
    llm_runs = [run for setting in settings for run in setting.llms.values()]
    if estimated := sorted({run.model for run in llm_runs if run.cost_is_estimated}):
        notes.append(
            f"Dollars of {', '.join(estimated)} are estimated from the length of the texts (four "
            "letters a token), where a run does not tell them."
        )
    return Study(settings, [*problems, *mismatches], notes)


def with_training(
    results: Path, settings: Sequence[Setting], pool: Workers = None
) -> tuple[list[Setting], list[Problem]]:
    """Put the training rows of each setting beside it, where they have confidences.

    Args:
        results: the folder of results.
        settings: the settings.
        pool: the processes that read, if there is much to read.

    Returns:
        The settings, and a problem for each file that cannot be used.
    """
    keys = {(setting.slm.model, setting.slm.task) for setting in settings}
    files = [file for file in training_files(results) if (file.model, file.task) in keys]
    read = zip(files, _all_read(files, None, pool), strict=True)
    by_key = {(file.model, file.task): run for file, run in read}
    joined: list[Setting] = []
    problems: list[Problem] = []
    for setting in settings:
        run = by_key.get((setting.slm.model, setting.slm.task))
        if isinstance(run, Problem):
            problems.append(Problem(f"{run.where} (training)", run.why))
        elif run is not None:
            setting = replace(setting, training=run)
        joined.append(setting)
    return joined, problems


def _all_read(
    files: Sequence[SampleFile],
    prices: PriceList | None,
    pool: Workers,
    done: Callable[[int], None] = lambda read: None,
) -> list[TaskRun | Problem]:
    """Read runs, in the order of their files; little is not worth another process."""
    size = sum(file.path.stat().st_size for file in files if file.path.exists())
    work = partial(_run_or_problem, prices=prices)
    runs: dict[SampleFile, TaskRun | Problem] = {}
    for file, run in done_by(pool if size > MUCH else None, work, {file: file for file in files}):
        runs[file] = run
        done(len(runs))
    return [runs[file] for file in files]


def _run_or_problem(file: SampleFile, prices: PriceList | None = None) -> TaskRun | Problem:
    """Read a run; return a problem in its place if the file cannot be used."""
    try:
        return read_run(file.path, file.model, file.task, prices or {})
    except SampleFileError as error:
        return Problem(f"{file.model}, {file.task}", str(error))


def read_run(path: Path, model: str, task: str, prices: PriceList = NO_PRICES) -> TaskRun:
    """Read a model's answers to one task.

    Args:
        path: the sample file.
        model: the name of the model's folder of results.
        task: the name of the task.
        prices: the prices that a user states, by model.

    Raises:
        SampleFileError: the file cannot be used; the text names it, and the line where possible.
    """
    wanted, table, unread = read_columns(path)
    table = table.sort_by("doc_id")
    correct = _correct(table, "acc")
    pricing = Pricing(path, model, table, prices)
    costs = pricing.of_answers(estimates=not wanted.methods)
    return TaskRun(
        model=model,
        task=task,
        doc_id=table["doc_id"].to_numpy(),
        doc_hash=_hashes(table, "doc_hash"),
        correct=correct,
        cost_usd=costs.usd,
        scores={
            method: Scores(
                table[f"{CONFIDENCE}{method}"].to_numpy().astype(np.float64),
                _correct(table, f"{CORRECT}{method}")
                if f"{CORRECT}{method}" in wanted.numbers
                else correct,
                ", ".join(distinct_texts(table, f"{FITTED_ON}{method}")),
                "; ".join(distinct_texts(table, f"{COMBINES}{method}")),
                RowWork.among(table, method),
                pricing.of_method(method),
                decides_before(table.column_names, method),
            )
            for method in wanted.methods
        },
        path=path,
        cost_is_estimated=costs.is_estimated,
        unread=unread,
        prompt_hash=_hashes(table, "prompt_hash"),
        work=RowWork.among(table),
    )


def sample_texts(run: TaskRun) -> Iterator[SampleText]:
    """Yield the texts of a run's rows, read anew from its file and in the file's order."""
    for line in answering_lines(run.path, _named_before):
        row = line.row
        yield SampleText(int(row["doc_id"]), _question(row), answer_text(row), _target(row))


def newest_files(results: Path) -> tuple[list[SampleFile], list[str]]:
    """Find the newest sample file of each model and task, without training tasks.

    Returns:
        The files, and a note for each task with more than one run.
    """
    files: list[SampleFile] = []
    notes: list[str] = []
    folders = sorted(path for path in results.iterdir() if path.is_dir())
    found = {folder: sample_files(folder) for folder in folders}
    names = {task for tasks in found.values() for task in tasks}
    for folder, tasks in found.items():
        for task, paths in tasks.items():
            if task.endswith(TRAINING_SUFFIX):
                continue
            newest = _newest_answered(paths)
            files.append(SampleFile(folder.name, shown_name(task, names), newest))
            if len(paths) > 1:
                which = "newest" if newest == paths[-1] else "newest in which the SLM answered all"
                notes.append(
                    f"{folder.name}, {task}: {len(paths)} runs, of which the {which} was taken "
                    f"({newest.name})"
                )
    return files, notes


def _newest_answered(paths: Sequence[Path]) -> Path:
    """Return the newest of several files, oldest first, in which the SLM answered all questions.

    It is the newest of all if there is no other, or if none is like that.
    """
    for path in reversed(paths if len(paths) > 1 else ()):
        try:
            if not routes_before(path):
                return path
        except SampleFileError:  # whoever reads the rows says so
            return path
    return paths[-1]


def _shortfalls(run: TaskRun) -> Iterator[Problem]:
    """Yield a problem for all that leaves figures undefined although the file can be read."""
    where = f"{run.model}, {run.task}"
    if run.unread:
        yield Problem(where, lines_in_words(run.unread))
    if len(run.doc_id) == 1:
        yield Problem(where, f"{run.path} has one row only: no figure can be trusted")
    for method, scores in run.scores.items():
        if not scores.known.any():
            rows = len(run.doc_id)
            why = f"{run.path}: `confidence/{method}` is null in all rows ({rows})"
            yield Problem(where, why, method)


def _named_before(line: UnreadLine) -> None:
    """Say nothing of a line without a row, because `read_run` has named it."""


def _hashes(table: Any, name: str) -> Any:
    """Turn a column of hashes into bytes: [n]; empty if a row has none, or the table no column."""
    if name not in table.column_names or table[name].null_count:
        return np.empty(0, "S1")
    return np.asarray(table[name].to_pylist(), dtype=np.bytes_)


def _correct(table: Any, name: str) -> Any:
    """Turn a column of verdicts into truth values: 1 is right, 0 and null are wrong."""
    return table[name].to_numpy() == 1.0


def _question(row: Mapping[str, Any]) -> str:
    """Return the question of a row: its `doc`'s, or else the whole prompt."""
    doc = row.get("doc")
    if isinstance(doc, Mapping) and isinstance(doc.get("question"), str):
        return str(doc["question"])
    return prompt_of(row)


def _target(row: Mapping[str, Any]) -> str:
    """Return the right answer of a row as one text; several are joined by semicolons."""
    target = row.get("target")
    if isinstance(target, list):
        return "; ".join(str(answer) for answer in target)
    return "" if target is None else str(target)
