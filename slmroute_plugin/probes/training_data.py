"""The data that probes learn from: a task's features, with the correctness of each answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.probes.confidence_features import (
    confidence_features,
    has_confidences,
    untrained_methods,
)
from slmroute_plugin.probes.labels import Label, correctness_of, label_for
from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.column_names import CONFIDENCE, FITTED_ON
from slmroute_plugin.storage.hidden_states import (
    FOLDERS,
    AnyFeature,
    HiddenStates,
    file_stem,
    load_hidden_states,
)
from slmroute_plugin.storage.questions import (
    known_questions_path,
    load_questions,
    questions_path,
)
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    UnreadLine,
    lines_in_words,
    newest_sample_files,
    read_samples,
)
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ProbeProblem(NamedTuple):
    """A problem: what could not be used, and why."""

    what: str
    why: str


@dataclass(frozen=True, eq=False)
class AnsweredTask:
    """The answers to one task.

    Attributes:
        source: the model, and the task that it answered.
        signal: the feature.
        question: [n, 16], uint8: the identities of the questions.
        correct: [n], float32: the labels: 1.0 where the answer is right, else 0.0; or, if an LLM is
            named, 0.0 where it is right and the answer wrong, else 1.0, and NaN where it has none.
        pool: [N, …]: the features, possibly among those of other tasks: hidden states, float16,
            or confidences, float32, of which those that are missing are NaN.
        start: the row of the pool where this task's features begin.
        llm: the name of the LLM that the labels are about; "" if they are about the answer alone.
    """

    source: Source
    signal: AnyFeature
    question: NDArray[np.uint8]
    correct: NDArray[np.float32]
    pool: NDArray[np.floating[Any]]
    start: int = 0
    llm: str = ""

    @property
    def hidden(self) -> NDArray[np.floating[Any]]:
        """The task's own features: [n, …]."""
        return self.pool[self.start : self.start + len(self.correct)]

    @property
    def layout(self) -> Layout:
        """The layout of its features, which tasks must have in common to share a probe."""
        return Layout(self.source.model, self.signal, self.pool.shape[1:])


class Layout(NamedTuple):
    """The layout of features, which must be the same for them to go into one probe."""

    model: str
    signal: AnyFeature
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.signal} of {self.model}, shape {self.shape}"


class AnsweredTasks(NamedTuple):
    """The answered tasks of a folder, and the problems with what could not be read."""

    answered: list[AnsweredTask]
    problems: list[ProbeProblem]


def read_answered(
    folder: Path, feature: type[AnyFeature], llm: Path | None = None
) -> AnsweredTasks:
    """Read every task of a model's folder of results that has such features and samples.

    Tasks of one layout share a pool, so that their rows can be trained on without a copy.

    Args:
        folder: the model's folder of results.
        feature: the kind of features.
        llm: the folder of results of the LLM whose gain is the label; None if it is whether the
            answer is right.
    """
    if issubclass(feature, Confidences):
        read = _with_confidences(folder, llm)
    else:
        read = _with_hidden_states(folder, FOLDERS[feature], llm)
    named = [replace(task, llm="" if llm is None else llm.name) for task in read.answered]
    read.answered.clear()
    return AnsweredTasks(_pooled(named), read.problems)


def _with_hidden_states(folder: Path, kept_in: str, llm: Path | None) -> AnsweredTasks:
    """Read the tasks whose hidden states a folder of this name holds."""
    samples = newest_sample_files(folder)
    # A file's name may lack what a task's name has.
    names = {file_stem(task): task for task in samples}
    read = AnsweredTasks([], [])
    for path in sorted((folder / kept_in).glob("*.safetensors")):
        stem = path.name.removesuffix(".safetensors")
        task = names.get(stem, stem)
        try:
            states = load_hidden_states(path)
            if task not in samples:
                raise ValueError(
                    f"{folder} has no samples of it: run lm_eval with --log_samples and "
                    "--output_path, and metadata.slmroute.results as its value."
                )
            unread: list[UnreadLine] = []
            rows = list(read_samples(samples[task], unread.append))
            read.answered.append(join(states, rows, samples[task], label_for(task, llm)))
            if unread:
                read.problems.append(ProbeProblem(task, lines_in_words(unread)))
        except ValueError as error:
            read.problems.append(ProbeProblem(task, str(error)))
    return read


def _with_confidences(folder: Path, llm: Path | None) -> AnsweredTasks:
    """Read the confidences of all tasks whose questions are known, for the same methods.

    A method that did not run on a task has no confidence in its rows.
    """
    read = AnsweredTasks([], [])
    rows: dict[str, list[dict[str, Any]]] = {}
    samples = newest_sample_files(folder)
    for task, path in samples.items():
        if known_questions_path(folder, task) is None:
            if has_confidences(path):
                why = f"no file says which questions were asked ({questions_path(folder, task)})"
                read.problems.append(ProbeProblem(task, f"{why}: run the task again"))
            continue
        unread: list[UnreadLine] = []
        try:
            # Of whole rows, with their texts, there may be more than memory holds.
            rows[task] = [_without_texts(row) for row in read_samples(path, unread.append)]
        except ValueError as error:
            read.problems.append(ProbeProblem(task, str(error)))
        if unread:
            read.problems.append(ProbeProblem(task, lines_in_words(unread)))
    methods = sorted({name for of_task in rows.values() for name in untrained_methods(of_task)})
    for task, of_task in rows.items():
        try:
            asked = load_questions(known_questions_path(folder, task) or folder)
            states = confidence_features(asked, of_task, methods, samples[task])
            label = label_for(task, llm)
            read.answered.append(join(states, of_task, samples[task], label))
        except ValueError as error:
            read.problems.append(ProbeProblem(task, str(error)))
    return read


def _without_texts(row: dict[str, Any]) -> dict[str, Any]:
    """Keep what says which question a row is about, and the verdict and confidences in it."""
    kept = ("doc_id", "doc_hash", "prompt_hash", "filter", "acc")
    prefixes = (CONFIDENCE, FITTED_ON)
    return {name: row[name] for name in row if name in kept or name.startswith(prefixes)}


def join(
    states: HiddenStates,
    rows: list[dict[str, Any]],
    path: Path,
    label: Label = correctness_of,
) -> AnsweredTask:
    """Join features with the labels of their answers.

    Raises:
        ValueError: samples and features are not of the same run.
    """
    import numpy as np

    correct: dict[int, float] = {}
    at = rows_by_id(states)
    for row in rows:
        if row.get("filter") != SLM_FILTER:
            continue
        if (index := row_of(states, at, row, path)) is not None:
            correct[index] = label(row, path)
    # A run that was cut off may have left hidden states without samples.
    kept = np.asarray(sorted(correct), dtype=np.int64)
    return AnsweredTask(
        states.source,
        states.signal,
        states.question[kept],
        np.asarray([correct[row] for row in kept.tolist()], dtype=np.float32),
        states.hidden[kept],
    )


def _pooled(tasks: list[AnsweredTask]) -> list[AnsweredTask]:
    """Copy the features of tasks with one layout into one pool, and sort the tasks by name."""
    import numpy as np

    alike: dict[Layout, list[AnsweredTask]] = {}
    while tasks:
        task = tasks.pop()
        alike.setdefault(task.layout, []).append(task)
    pooled = []
    for layout, group in alike.items():
        rows = sum(len(task.correct) for task in group)
        pool = np.empty((rows, *layout.shape), dtype=group[0].pool.dtype)
        start = 0
        while group:
            task = group.pop()
            pool[start : start + len(task.correct)] = task.hidden
            pooled.append(replace(task, pool=pool, start=start))
            start += len(task.correct)
    return sorted(pooled, key=lambda task: task.source.task)


def rows_by_id(states: HiddenStates) -> dict[int, int]:
    """Map each `doc_id` to its row of the hidden states."""
    return {int(doc_id): row for row, doc_id in enumerate(states.doc_id)}


def row_of(
    states: HiddenStates, at: Mapping[int, int], sample: Mapping[str, Any], path: Path
) -> int | None:
    """Find the row of a sample's hidden state.

    Returns:
        The row; None if no hidden state was kept.

    Raises:
        ValueError: the hidden state with this `doc_id` belongs to another prompt.
    """
    index = at.get(sample.get("doc_id", -1))
    if index is not None and sample.get("prompt_hash") != states.prompt[index].tobytes().hex():
        raise ValueError(
            f"{path}, doc_id {sample['doc_id']}: its hidden state belongs to another prompt. "
            "Samples and hidden states are of different runs: run the task again."
        )
    return index
