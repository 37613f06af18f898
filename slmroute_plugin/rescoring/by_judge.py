"""The judging of answers in saved samples, without the model and without the data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.scoring import rule
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.judge.settings import JudgeSettings
from slmroute_plugin.scoring.scorer import QuestionScorer
from slmroute_plugin.storage.atomic_write import check_writable
from slmroute_plugin.storage.column_names import CONFIDENCE, CORRECT, OWN_ANSWER
from slmroute_plugin.storage.sample_files import (
    SampleFileError,
    UnreadLine,
    innermost,
    is_unanswered,
    lines_in_words,
    newest_sample_files,
    read_samples,
    write_samples,
)
from slmroute_plugin.task.columns import verdict_columns

if TYPE_CHECKING:
    from slmroute_plugin.harness import TaskManager
    from slmroute_plugin.task import RoutedTask

_SPLIT = "saved"


class Judged(NamedTuple):
    """The rows of a task under one filter, after judging.

    Attributes:
        task: the name of the task.
        filter: `slm` or `routed`.
        rows: the number of rows that were judged.
        before: their accuracy as it was.
        after: their accuracy now.
        errors: the number of answers without a verdict, which the rule scored.
        path: the new file.
    """

    task: str
    filter: str
    rows: int
    before: float
    after: float
    errors: int
    path: Path


class Unjudged(NamedTuple):
    """A task that could not be judged, or only in part, and why."""

    what: str
    why: str


class _Readable(NamedTuple):
    """A row whose texts are there.

    Attributes:
        row: the row.
        doc: the row of the data set.
        text: the answer.
        own: the answers that methods obtained by themselves, by method.
    """

    row: dict[str, Any]
    doc: Mapping[str, Any]
    text: str
    own: Mapping[str, str]


def judge_samples(
    folder: Path, settings: JudgeSettings, tasks: Sequence[str], manager: TaskManager
) -> Iterator[Judged | Unjudged]:
    """Judge the newest samples of every free-form task in a model's folder of results.

    Rows whose texts were removed stay as they are. The new file is complete before it appears,
    and the old one is left alone.

    Args:
        folder: the folder results/<model>.
        settings: the settings of the judge.
        tasks: the tasks to judge; all if there are none.
        manager: lm-eval's index of the tasks.

    Raises:
        NotWritable: nothing can be written to the folder.
    """
    check_writable(folder / "samples.jsonl")
    files = newest_sample_files(folder)
    for name in tasks:
        if name not in files:
            yield Unjudged(name, f"{folder} has no samples of it. {did_you_mean(name, files)}")
    for name, path in files.items():
        if not tasks or name in tasks:
            yield from _judge_task(folder, name, path, settings, manager)


def _judge_task(
    folder: Path, name: str, path: Path, settings: JudgeSettings, manager: TaskManager
) -> Iterator[Judged | Unjudged]:
    """Judge the samples of one task, and write them into a new file."""
    unread: list[UnreadLine] = []
    try:
        rows = list(read_samples(path, unread.append))
    except SampleFileError as error:
        yield Unjudged(name, str(error))
        return
    if _ruled_otherwise(rows):
        return
    if unread:
        yield Unjudged(name, lines_in_words(unread))
    # A stock task of lm-eval has rows of its own filters too, which its own metrics score.
    ours = [row for row in rows if "scored_by" in row] or rows
    readable = [answer for row in ours if (answer := _readable(row)) is not None]
    if len(readable) < len(ours):
        missing = len(ours) - len(readable)
        yield Unjudged(
            name, f"{missing} of {len(ours)} rows of {path} lack `doc` or the reply: left as is"
        )
    if not readable:
        return
    task = _task(name, readable[0].doc, manager)
    if isinstance(task, Unjudged):
        yield task
        return
    if task.rule.kind != "free":
        return
    judge = Judge(settings, partial(llm_for, settings.llm(), folder.parent), name)
    scorers = [task.scorer(answer.doc, judge) for answer in readable]
    judge.consider(
        [
            scorer.case(text)
            for scorer, answer in zip(scorers, readable, strict=True)
            for text in (answer.text, *answer.own.values())
        ]
    )
    before = [float(answer.row.get("acc") or 0.0) for answer in readable]
    unknown: set[str] = set()
    for scorer, answer in zip(scorers, readable, strict=True):
        unknown |= _update(scorer, answer)
    errors = [answer.row["judge_error"] for answer in readable]
    if all(errors):
        yield Unjudged(name, f"no answer was judged, and nothing is written: {errors[0]}")
        return
    if unknown:
        yield Unjudged(
            name,
            f"{path} does not hold the own answers of {', '.join(sorted(unknown))}: "
            "their acc/… and auroc/… stay as they were",
        )
    yield from _by_filter(name, readable, before, write_samples(folder, name, rows, unread))


def _by_filter(
    name: str, judged: Sequence[_Readable], before: Sequence[float], path: Path
) -> Iterator[Judged]:
    """Sum up the judged rows of each filter."""
    by_filter: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for answer, acc in zip(judged, before, strict=True):
        by_filter.setdefault(str(answer.row.get("filter")), []).append((answer.row, acc))
    for filter_name, rows in by_filter.items():
        yield Judged(
            name,
            filter_name,
            len(rows),
            sum(acc for _, acc in rows) / len(rows),
            sum(row["acc"] for row, _ in rows) / len(rows),
            sum(row["judge_error"] is not None for row, _ in rows),
            path,
        )


def _ruled_otherwise(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the rows were scored by a rule that is not for free-form answers."""
    try:
        return bool(rows) and rule(str(rows[0].get("scored_by"))).kind != "free"
    except ValueError:  # a judge's name
        return False


def _readable(row: dict[str, Any]) -> _Readable | None:
    """Take the texts from a row; return None if they were removed, or if there is no answer."""
    if is_unanswered(row):
        return None
    doc, text = row.get("doc"), innermost(row.get("filtered_resps"))
    if not isinstance(doc, dict) or not isinstance(text, str):
        return None
    own = {
        key.removeprefix(OWN_ANSWER): value or ""
        for key, value in row.items()
        if key.startswith(OWN_ANSWER)
    }
    return _Readable(row, doc, text, own)


def _update(scorer: QuestionScorer, answer: _Readable) -> set[str]:
    """Put the judge's columns into a row, and return the methods whose own answer is unknown."""
    of_methods = {
        key.removeprefix(CONFIDENCE): value
        for key, value in answer.row.items()
        if key.startswith(CONFIDENCE)
    }
    unknown = {name for name in of_methods if f"{CORRECT}{name}" in answer.row} - answer.own.keys()
    known = {name: value for name, value in of_methods.items() if name not in unknown}
    columns = verdict_columns(answer.text, known, answer.own, scorer)
    answer.row.update(columns)
    listed = answer.row.get("metrics")
    if isinstance(listed, list):
        answer.row["metrics"] = list(dict.fromkeys([*listed, *columns]))
    return unknown


def _task(name: str, doc: Mapping[str, Any], manager: TaskManager) -> RoutedTask | Unjudged:
    """Make the task that knows a row's question and reference, without loading its data set."""
    from datasets import Dataset

    from slmroute_plugin.task import RoutedTask

    if name not in manager.task_index:
        return Unjudged(name, "no task of that name is known: name its folder (--include-path)")
    data = Dataset.from_list([dict(doc)])
    # Saved rows are what the task's own preparation of the data made.
    without_data = {
        "dataset_path": None,
        "dataset_name": None,
        "custom_dataset": lambda **_: {_SPLIT: data},
        "process_docs": None,
        "training_split": None,
        "validation_split": None,
        "fewshot_split": None,
        "fewshot_config": None,
        "test_split": _SPLIT,
    }
    # As a member of a group: on its own, lm-eval would take it for a task written out in full.
    group = {"group": "saved", "task": [{"task": name, **without_data}]}
    task = next(iter(manager.load([group])["tasks"].values()))
    if not isinstance(task, RoutedTask):
        return Unjudged(name, "it is not a task of slmroute's task class")
    return task
