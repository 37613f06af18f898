"""The check of a task's file without a model: questions as they are asked, replies as scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.importing.faults import ImportFault
from slmroute_plugin.task.check_replies import (
    CheckedReply,
    every_choice,
    own_replies,
    usual_replies,
)
from slmroute_plugin.task.likelihood_task import LikelihoodTask
from slmroute_plugin.task.routed_task import RoutedTask
from slmroute_plugin.task.row_checks import RowError, check_row
from slmroute_plugin.task.rows import Doc, RowTask

SHOWN = 3
_NAMED = 3


class CheckedQuestion(NamedTuple):
    """A question of a task.

    Attributes:
        row: The index of the row.
        text: The user turn, as the model is asked it.
        options: The texts of its options; empty without options.
        targets: The right answers.
    """

    row: int
    text: str
    options: tuple[str, ...]
    targets: tuple[str, ...]


class TaskCheck(NamedTuple):
    """What a check of a task's file says.

    Attributes:
        task: The name of the task.
        rows: The number of rows that are evaluated.
        rule: The name of the scoring rule.
        questions: The first questions.
        replies: Replies to them: right, wrong and empty, and those of the file beside the task's.
        faults: What is wrong with rows or with the file.
        missing: What the file does not say, and what follows from that.
    """

    task: str
    rows: int
    rule: str
    questions: Sequence[CheckedQuestion]
    replies: Sequence[CheckedReply]
    faults: Sequence[str]
    missing: Sequence[str]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong; what is missing may be so on purpose."""
        return not self.faults and not any(reply.is_fault for reply in self.replies)


def check_task_file(path: Path) -> TaskCheck:
    """Load a task's file and its rows, and check what can be checked without a model.

    Args:
        path: The task's YAML.

    Raises:
        ImportFault: If the file is not that of one of our tasks, or if it cannot be loaded.
    """
    task = _loaded(path)
    docs = task.eval_docs
    shown = range(min(SHOWN, len(docs)))
    try:
        questions = [_question(task, at, docs[at]) for at in shown]
    except RowError as error:
        raise ImportFault(f"{path}: {error}") from None
    if isinstance(task, LikelihoodTask):
        replies = [reply for at in shown for reply in every_choice(task, at, docs[at])]
    else:
        replies = [reply for at in shown for reply in usual_replies(task, at, docs[at])]
        replies += own_replies(path, task)
    return TaskCheck(
        str(task.config.task),
        len(docs),
        task.rule.name,
        questions,
        replies,
        list(_row_faults(task)),
        list(_missing(path, task)),
    )


def _loaded(path: Path) -> RowTask:
    from slmroute_plugin.harness import TaskManager

    if not path.is_file():
        raise ImportFault(f"{path}: there is no such file.")
    try:
        (task,) = TaskManager(include_defaults=False).load([str(path)])["tasks"].values()
    except Exception as error:  # templates, data sets and functions of a task may raise anything
        raise ImportFault(f"{path}: {error}") from error
    if not isinstance(task, RoutedTask | LikelihoodTask):
        raise ImportFault(
            f"{path}: its answers get no confidences: write "
            "`class: !function slmroute_plugin.task.RoutedTask`."
        )
    return task


def _question(task: RowTask, at: int, doc: Doc) -> CheckedQuestion:
    reference = task.reference(doc)
    return CheckedQuestion(at, task.doc_to_text(doc), reference.options, reference.targets)


def _row_faults(task: RowTask) -> Iterator[str]:
    """Yield what is wrong with the rows: those that cannot be asked, and those that come twice."""
    seen: dict[str, int] = {}
    faults, twice = [], []
    for at, doc in enumerate(task.eval_docs):
        where = f"row {at}"
        try:
            query = task.doc_to_decontamination_query(doc)
            check_row(where, query, task.rule.kind, task.reference(doc))
            text = task.doc_to_text(doc)
        except (RowError, KeyError) as error:
            faults.append(str(error))
            continue
        if text in seen:
            twice.append(f"row {at} asks what row {seen[text]} asks.")
        seen.setdefault(text, at)
    for told in (faults, twice):
        yield from told[:_NAMED]
        if len(told) > _NAMED:
            yield f"… and {len(told) - _NAMED} more rows like these."


def _missing(path: Path, task: RowTask) -> Iterator[str]:
    """Yield what a task's file does not say, and what follows from that."""
    config, keys = task.config, task.keys
    if keys.dataset is None:
        yield (
            f"`dataset`: probes take {task.source.dataset!r} for the family of data. Tasks over "
            "the same data, a training split for instance, have to name the same."
        )
    if not config.fewshot_split and not getattr(config.fewshot_config, "samples", None):
        yield "`fewshot_split`: --num_fewshot takes its examples from the rows that are evaluated."
    if isinstance(task, LikelihoodTask):
        return
    training = path.with_name(f"{path.stem}_train{path.suffix}")
    if keys.probe_rows == "evaluation" and not training.exists():
        yield (
            f"training rows: `trained_probe` needs a task over other rows ({training.name}) with "
            "`probe_rows: training` and the same `dataset`; or `probe_rows: cross_fit` here."
        )
    if not config.should_decontaminate or config.doc_to_decontamination_query is None:
        yield (
            "`should_decontaminate: true` and `doc_to_decontamination_query`: the whole user turn "
            "identifies a question, so that another wording is another question."
        )
    if task.stock is None and not keys.cue:
        yield "`cue`: further instructions (of `verbalization_1s`) come last in the question."
    if task.rule.kind == "choice" and config.doc_to_choice is None:
        yield "`doc_to_choice`: replies that name an option's text, not its letter, are not read."
