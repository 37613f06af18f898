"""Replies to the questions of a task, scored without a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import NamedTuple

from slmroute_plugin.importing.faults import ImportFault
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.scoring import score
from slmroute_plugin.storage.sample_files import SampleFileError, numbered_samples
from slmroute_plugin.task.likelihood_task import LikelihoodTask
from slmroute_plugin.task.new_files import REPLIES, wrong_number
from slmroute_plugin.task.rows import Doc, RowTask

_KEYS = ("row", "reply", "right")


class CheckedReply(NamedTuple):
    """A reply to a question of a task, and what its scoring says.

    Attributes:
        row: The index of the row.
        reply: The reply; for options scored by likelihood, the option that is the likeliest.
        answer: The final answer that was found in it; None if none was.
        correct: What the scoring says.
        expected: What it has to say; None if that is for the reader to judge.
    """

    row: int
    reply: str
    answer: str | None
    correct: bool
    expected: bool | None

    @property
    def is_fault(self) -> bool:
        """Whether the scoring says otherwise than it has to."""
        return self.expected is not None and self.correct != self.expected


def usual_replies(task: RowTask, at: int, doc: Doc) -> Iterator[CheckedReply]:
    """Yield a right, a wrong and an empty reply to a row's question, scored."""
    targets, options = task.reference(doc).targets, task.reference(doc).options
    if targets:
        yield _scored(task, at, doc, targets[0], True)
    wrong = _wrong(task, targets, options)
    yield _scored(task, at, doc, wrong, False)
    yield _scored(task, at, doc, "", False)


def _wrong(task: RowTask, targets: Sequence[str], options: Sequence[str]) -> str:
    if task.rule.kind == "choice" and options:
        letters = ascii_uppercase[: len(options)]
        return next((letter for letter in letters if letter not in targets), "none of them")
    if task.rule.kind == "boolean":
        return "False" if targets and targets[0].strip().lower() == "true" else "True"
    if task.rule.name == "number" and targets:
        try:
            return wrong_number(targets[0])
        except ValueError:
            return "I cannot say."
    return "I cannot say."


def _scored(task: RowTask, at: int, doc: Doc, reply: str, expected: bool | None) -> CheckedReply:
    verdict = score(task.rule, reply, task.reference(doc))
    return CheckedReply(at, reply, verdict.answer, verdict.correct, expected)


def every_choice(task: LikelihoodTask, at: int, doc: Doc) -> Iterator[CheckedReply]:
    """Yield the verdict on each option of a row, as if it were the likeliest."""
    reference = task.reference(doc)
    for chosen, option in enumerate(reference.options):
        is_target = option in reference.targets
        yield CheckedReply(at, option, option, task.is_right(doc, chosen), is_target)


def own_replies(path: Path, task: RowTask) -> Iterator[CheckedReply]:
    """Yield the replies of the file beside a task's, each with the verdict that it asks for.

    Raises:
        ImportFault: If a line is not `{"row": …, "reply": …, "right": …}`.
    """
    own = path.with_name(f"{path.stem}{REPLIES}")
    if not own.exists():
        return
    docs = task.eval_docs
    try:
        for line in numbered_samples(own):
            where = f"{own}, line {line.line}"
            row, reply, right = (line.row.get(name) for name in _KEYS)
            if strays := [name for name in line.row if name not in _KEYS]:
                hint = did_you_mean(strays[0], _KEYS)
                raise ImportFault(f"{where}: there is no key {strays[0]!r}. {hint}")
            if not isinstance(row, int) or not 0 <= row < len(docs):
                raise ImportFault(f"{where}: `row` is {row!r}, but rows are 0 to {len(docs) - 1}.")
            if not isinstance(reply, str) or not isinstance(right, bool):
                raise ImportFault(
                    f'{where}: {{"row": 0, "reply": "…", "right": true}} is needed, not '
                    f"{json.dumps(line.row, ensure_ascii=False)}."
                )
            yield _scored(task, row, docs[row], reply, right)
    except SampleFileError as error:
        raise ImportFault(f"{error}.") from None
