"""Systems that were chosen on one half of the questions, judged on the other half."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.bootstrap_areas import Interval
from slmroute_plugin.analysis.measures.systems import Answers, System, Systems

Floats = NDArray[np.float64]
Counts = Sequence[NDArray[np.float32]]

Mixture = Mapping[System, float]
"""The systems that answer, and the share of the questions, drawn at random, that each answers."""

Plan = tuple[Mixture, Mixture]
"""What was chosen on the first half of the questions, and what on the second half."""


class HeldOut(NamedTuple):
    """What a plan is worth on the questions that it was not chosen on, in R resamples too.

    Attributes:
        accuracy: the accuracy.
        cost: the mean dollars of a question.
        accuracies: [R]: the accuracy in resamples.
        costs: [R]: the dollars in resamples.
    """

    accuracy: float
    cost: float
    accuracies: Floats
    costs: Floats

    def better_than(self, other: HeldOut) -> tuple[float, Interval]:
        """Return by how much this plan is more accurate than another, with its interval."""
        return self.accuracy - other.accuracy, Interval.of(self.accuracies - other.accuracies)

    def cheaper_than(self, other: HeldOut) -> tuple[float, Interval]:
        """Return the share of another plan's cost that this plan saves; NaN if that is free."""
        if not other.cost > 0:
            return float("nan"), Interval(float("nan"), float("nan"))
        with np.errstate(divide="ignore", invalid="ignore"):
            resampled = 1 - self.costs / other.costs
        return 1 - self.cost / other.cost, Interval.of(resampled)


def held_out(
    on_datasets: Sequence[Systems], plans: Sequence[Plan], counts: Sequence[Counts]
) -> list[HeldOut]:
    """Judge each plan on the questions that it was not chosen on; each data set counts the same.

    What was chosen on the first half answers the questions of the second half, and the other way
    round, so that every question counts once. Resamples leave the choice as it is.

    Args:
        on_datasets: the systems of each data set.
        plans: the plans.
        counts: for each data set blocks of [n, resamples]: how often each question is in each
            resample.
    """
    observed, resampled = [], []
    for systems, drawn in zip(on_datasets, counts, strict=True):
        answers = cache(systems.answers)
        answered = [_answered(plan, systems.halves, answers) for plan in plans]
        columns = np.stack([part for both in answered for part in both], axis=1)
        observed.append(columns.mean(axis=0))
        quick = columns.astype(np.float32)
        blocks = [block.T @ quick / len(quick) for block in drawn]
        resampled.append(np.concatenate(blocks) if blocks else np.empty((0, columns.shape[1])))
    mean = np.asarray(np.mean(observed, axis=0))
    means = np.asarray(np.mean(resampled, axis=0, dtype=np.float64))
    return [
        HeldOut(float(mean[at]), float(mean[at + 1]), means[:, at], means[:, at + 1])
        for at in range(0, len(mean), 2)
    ]


def _answered(
    plan: Plan, halves: NDArray[np.int64], answers: Callable[[System], Answers]
) -> Answers:
    """Return the expected answers to each half of what was chosen on the other half."""
    right, cost = np.zeros(len(halves)), np.zeros(len(halves))
    for chosen_on, mixture in enumerate(plan):
        rows = halves != chosen_on
        for system, weight in mixture.items():
            own = answers(system)
            right[rows] += weight * own.right[rows]
            cost[rows] += weight * own.cost[rows]
    return Answers(right, cost)
