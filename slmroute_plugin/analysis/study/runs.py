"""Runs as arrays: a model's answers to one task, and their confidences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.study.work import RowWork
from slmroute_plugin.storage.sample_files import UnreadLine


class Problem(NamedTuple):
    """A problem: a part of the results that could not be used.

    Attributes:
        where: the model and task, or the models, that it is about.
        why: the reason.
        method: the method whose confidences alone it is about; "" if it is about the answers too.
    """

    where: str
    why: str
    method: str = ""


@dataclass(frozen=True, eq=False)
class Scores:
    """The confidences of one method for one task.

    Attributes:
        confidence: [n], float64 in [0, 1]; NaN where the method gave none.
        correct: [n], bool: whether the answer that the confidence is about is right. For most
            methods that is the model's own answer; a method may have answers of its own.
        fitted_on: for a trained method, the rows that its probe was fitted on ("training split",
            "cross-fitted", "other datasets"); "" for other methods.
        combines: the methods whose confidences a trained method reads, with commas between; "" for
            other methods.
        work: what the method takes alone on top of each answer; None if it is not known.
        cost_usd: [n], float64: the dollars of that, NaN where they are not known; None if they are
            known nowhere.
        is_before: whether the method can decide before there is an answer: `work` is then what it
            takes without one, and the SLM need not answer what is routed.
    """

    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    fitted_on: str = ""
    combines: str = ""
    work: RowWork | None = None
    cost_usd: NDArray[np.float64] | None = None
    is_before: bool = False

    @property
    def known(self) -> NDArray[np.bool_]:
        """The rows with a confidence: [n], bool."""
        return ~np.isnan(self.confidence)

    def taken(self, rows: NDArray[np.intp]) -> Scores:
        """Return the confidences of the rows at these places alone, in their order."""
        return replace(
            self,
            confidence=self.confidence[rows],
            correct=self.correct[rows],
            work=self.work.taken(rows) if self.work is not None else None,
            cost_usd=self.cost_usd[rows] if self.cost_usd is not None else None,
        )


@dataclass(frozen=True, eq=False)
class TaskRun:
    """The answers of one model to one task, rows in the order of `doc_id`.

    Attributes:
        model: the name of the model's folder of results.
        task: lm-eval's task, without "slmroute_".
        doc_id: [n], int64.
        doc_hash: [n], fixed-width bytes: lm-eval's hash of each row of the data set.
        correct: [n], bool.
        cost_usd: [n], float64: the dollars of each answer; NaN where they are not known.
        scores: the confidences by method; empty for a plain run, such as an LLM's.
        path: the sample file.
        cost_is_estimated: whether `cost_usd` was estimated because the run does not state it.
        unread: the lines of the sample file that hold no row.
        prompt_hash: [n], fixed-width bytes: lm-eval's hash of each prompt; empty if the file does
            not tell.
        work: what each answer took; None if it is not known.
    """

    model: str
    task: str
    doc_id: NDArray[np.int64]
    doc_hash: NDArray[np.bytes_]
    correct: NDArray[np.bool_]
    cost_usd: NDArray[np.float64]
    scores: Mapping[str, Scores] = field(default_factory=dict)
    path: Path = Path()
    cost_is_estimated: bool = False
    unread: Sequence[UnreadLine] = ()
    prompt_hash: NDArray[np.bytes_] = field(default_factory=lambda: np.empty(0, "S1"))
    work: RowWork | None = None

    @property
    def question_key(self) -> NDArray[np.bytes_]:
        """A key that rows with the same question share: the prompt's hash, or else the row's."""
        return self.prompt_hash if len(self.prompt_hash) else self.doc_hash

    def asks_as(self, other: TaskRun) -> NDArray[np.bool_]:
        """Mark the rows [n] whose question another run has as well."""
        same = _among(self.doc_hash, other.doc_hash)
        if len(self.prompt_hash) and len(other.prompt_hash):
            same |= _among(self.prompt_hash, other.prompt_hash)
        return same

    def taken(self, rows: NDArray[np.intp]) -> TaskRun:
        """Return the run with the rows at these places alone, in their order."""
        return replace(
            self,
            doc_id=self.doc_id[rows],
            doc_hash=self.doc_hash[rows],
            correct=self.correct[rows],
            cost_usd=self.cost_usd[rows],
            prompt_hash=self.prompt_hash[rows] if len(self.prompt_hash) else self.prompt_hash,
            scores={method: scores.taken(rows) for method, scores in self.scores.items()},
            work=self.work.taken(rows) if self.work is not None else None,
        )


@dataclass(frozen=True, eq=False)
class Setting:
    """An SLM on one task, with the LLMs that answered the same questions.

    Attributes:
        slm: the small model's run, with scores.
        llms: the runs of the LLMs by model name, rows aligned with the SLM's.
        training: the small model's run on the training rows of the same data set, with scores;
            None if there is none.
    """

    slm: TaskRun
    llms: Mapping[str, TaskRun]
    training: TaskRun | None = None


@dataclass(frozen=True)
class Study:
    """The contents of a folder of results.

    Attributes:
        settings: every SLM on every task that it answered, sorted by model and task.
        problems: the parts that could not be used.
        notes: remarks for the reader, for instance that the newest of several runs was taken.
    """

    settings: Sequence[Setting]
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()


def by_slm(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """Group settings by the name of their SLM, keeping their order."""
    by_model: dict[str, list[Setting]] = {}
    for setting in settings:
        by_model.setdefault(setting.slm.model, []).append(setting)
    return by_model


def _among(hashes: NDArray[np.bytes_], others: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Mark the hashes [n] that are among others; a set finds them sooner than sorting would."""
    known = set(others.tolist())
    return np.fromiter((each in known for each in hashes.tolist()), bool, len(hashes))
