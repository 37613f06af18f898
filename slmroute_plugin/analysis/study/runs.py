"""Runs as arrays: what one model answered to one task, and how sure it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Problem(NamedTuple):
    """What could not be used, where, and why."""

    where: str
    why: str


@dataclass(frozen=True, eq=False)
class Scores:
    """One method's confidences for one task.

    Attributes:
        confidence: [n], float64 in [0, 1]; NaN where it could not be told.
        correct: [n], bool: whether the answer that the confidence is about is right. For most
            methods that is the model's own answer; a method may have answers of its own.
        fitted_on: for a trained method, what its probe was fitted on ("training split",
            "cross-fitted", "other datasets"); "" for others.
    """

    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]
    fitted_on: str = ""

    @property
    def known(self) -> NDArray[np.bool_]:
        """[n]: where there is a confidence."""
        return ~np.isnan(self.confidence)


@dataclass(frozen=True, eq=False)
class TaskRun:
    """One model's answers to one task, rows in the order of `doc_id`.

    Attributes:
        model: name of the model's folder of results.
        task: lm-eval's task, without "slmroute_".
        doc_id: [n], int64.
        doc_hash: [n], fixed-width bytes: lm-eval's hash of each row of the data set.
        correct: [n], bool.
        cost_usd: [n], float64: dollars of each answer; NaN where it is not known.
        scores: by method; empty for a plain run, as of an LLM.
        path: the sample file.
        cost_is_estimated: whether `cost_usd` is not what the run tells, but was estimated.
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

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(self.correct.mean())


@dataclass(frozen=True, eq=False)
class Setting:
    """One SLM on one task, with the LLMs that answered the same questions.

    Attributes:
        slm: the small model's run, with scores.
        llms: runs of the stronger models, rows aligned with the SLM's; by model name.
    """

    slm: TaskRun
    llms: Mapping[str, TaskRun]


@dataclass(frozen=True)
class Study:
    """All that a folder of results holds.

    Attributes:
        settings: every SLM on every task that it answered, sorted by model and task.
        problems: what could not be used.
        notes: what a reader should know: several runs of a task, of which the newest was
            taken, for instance.
    """

    settings: Sequence[Setting]
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()


def by_slm(settings: Iterable[Setting]) -> dict[str, list[Setting]]:
    """The settings of each SLM."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        found.setdefault(setting.slm.model, []).append(setting)
    return found
