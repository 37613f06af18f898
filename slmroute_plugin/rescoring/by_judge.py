"""Judging the answers in saved samples, without the model and without the data set."""

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
from slmroute_plugin.storage.sample_files import (
    SampleFileError,
    newest_sample_files,
    read_samples,
    write_samples,
)
from slmroute_plugin.task.columns import verdict_columns

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

    from slmroute_plugin.task import RoutedTask

_SPLIT = "saved"


class Judged(NamedTuple):
    """One filter's rows of a task after judging.

    Attributes:
        task: its name.
        filter: `slm` or `routed`.
        rows: how many were judged.
        before: their accuracy as it was.
        after: their accuracy now.
        errors: how many answers got no verdict, so that the rule scored them.
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
    """What could not be judged, or only in part, and why."""

    what: str
    why: str


class _Readable(NamedTuple):
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
        folder: results/<model>.
        settings: the judge.
        tasks: only these; none for all.
        manager: knows the tasks.
    """
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
    try:
        rows = list(read_samples(path))
    except SampleFileError as error:
        yield Unjudged(name, str(error))
        return
    if _ruled_otherwise(rows):
        return
    readable = [one for row in rows if (one := _readable(row)) is not None]
    if len(readable) < len(rows):
        missing = len(rows) - len(readable)
        yield Unjudged(
            name, f"{missing} of {len(rows)} rows of {path} lack `doc` or the reply: left as is"
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
    scorers = [task.scorer(one.doc, judge) for one in readable]
    judge.consider(
        [
            scorer.case(text)
            for scorer, one in zip(scorers, readable, strict=True)
            for text in (one.text, *one.own.values())
        ]
    )
    before = {id(one.row): one.row.get("acc") for one in readable}
    unknown: set[str] = set()
    for scorer, one in zip(scorers, readable, strict=True):
        unknown |= _update(scorer, one)
    errors = [one.row["judge_error"] for one in readable]
    if all(errors):
        yield Unjudged(name, f"no answer was judged, and nothing is written: {errors[0]}")
        return
    if unknown:
        yield Unjudged(
            name,
            f"{path} does not hold the own answers of {', '.join(sorted(unknown))}: "
            "their acc/… and auroc/… stay as they were",
        )
    written = write_samples(folder, name, rows)
    for which in dict.fromkeys(str(one.row.get("filter")) for one in readable):
        mine = [one.row for one in readable if str(one.row.get("filter")) == which]
        was = [float(before[id(row)] or 0.0) for row in mine]
        yield Judged(
            name,
            which,
            len(mine),
            sum(was) / len(was),
            sum(row["acc"] for row in mine) / len(mine),
            sum(row["judge_error"] is not None for row in mine),
            written,
        )


def _ruled_otherwise(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows say that a rule scored them which is for choices and the like."""
    try:
        return bool(rows) and rule(str(rows[0].get("scored_by"))).kind != "free"
    except ValueError:  # a judge's name
        return False


def _readable(row: dict[str, Any]) -> _Readable | None:
    doc, text = row.get("doc"), row.get("filtered_resps")
    while isinstance(text, list) and text:
        text = text[0]
    if not isinstance(doc, dict) or not isinstance(text, str):
        return None
    own = {
        key.partition("/")[2]: value or ""
        for key, value in row.items()
        if key.startswith("answer/")
    }
    return _Readable(row, doc, text, own)


def _update(scorer: QuestionScorer, one: _Readable) -> set[str]:
    """Put the judge's columns into a row, and return the methods whose own answer is unknown."""
    of_methods = {
        key.partition("/")[2]: value
        for key, value in one.row.items()
        if key.startswith("confidence/")
    }
    unknown = {name for name in of_methods if f"acc/{name}" in one.row} - one.own.keys()
    known = {name: value for name, value in of_methods.items() if name not in unknown}
    columns = verdict_columns(one.text, known, one.own, scorer)
    one.row.update(columns)
    listed = one.row.get("metrics")
    if isinstance(listed, list):
        one.row["metrics"] = list(dict.fromkeys([*listed, *columns]))
    return unknown


def _task(name: str, doc: Mapping[str, Any], manager: TaskManager) -> RoutedTask | Unjudged:
    """The task, to say question and reference of a row; its data set is not loaded."""
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
        return Unjudged(name, "it is no task of slmroute's task class")
    return task
