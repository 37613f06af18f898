"""Thresholds whose promise holds on every task, not on the mixture of tasks alone.

Each of T tasks is tested at level (1 − guarantee) / T (Bonferroni), by the tests of `guarantees`.
So with probability `guarantee` over the calibration rows, the promise holds on all tasks at once,
and for whatever mixture of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.guarantees import (
    Guaranteed,
    accuracy_bounds,
    kept_counts,
    last_passed,
    learning_rows,
    ratio_at_most,
    stepped_down,
)
from slmroute_plugin.analysis.measures.threshold_cuts import cuts

Rows = Sequence[NDArray[np.intp]]
"""The rows of each task."""


def ratio_in_each(
    confidence: NDArray[np.float64], tasks: Rows, ratio: float, guarantee: float
) -> Guaranteed:
    """Choose the largest threshold that routes at most `ratio` of new questions of every task.

    It is the smallest of the tasks' own thresholds: a smaller threshold routes no more.

    Args:
        confidence: [n]; NaN for an answer without a confidence.
        tasks: The rows of each task.
        ratio: The largest share of questions to route, in [0, 1].
        guarantee: The probability with which the promise holds on all tasks, in (0, 1).
    """
    level = 1 - (1 - guarantee) / len(tasks)
    each = [ratio_at_most(confidence[rows], ratio, level) for rows in tasks]
    thresholds = [own.threshold for own in each if own.threshold is not None]
    threshold = min(thresholds) if len(thresholds) == len(each) else None
    return Guaranteed(threshold, max(own.best for own in each), len(confidence))


def kept_accuracy_in_each(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    tasks: Rows,
    accuracy: float,
    guarantee: float,
    seed: int = 0,
) -> Guaranteed:
    """Choose a threshold whose kept answers are right often enough on every task.

    As `kept_accuracy_at_least`, with one sequence of thresholds for all tasks: it goes down while
    every task's test rejects. For each task, the first threshold in the sequence that breaks the
    promise there is a fixed one; its test rejects with a probability of (1 − guarantee) / T at
    most. The sequence starts where the worst task's lower bound is best.

    Args:
        confidence: [n]; NaN for an answer without a confidence, which is never kept.
        correct: [n]: whether each answer, if kept, is right.
        tasks: The rows of each task.
        accuracy: The least accuracy of kept answers, in [0, 1].
        guarantee: The probability with which the promise holds on all tasks, in (0, 1).
        seed: The seed of the split.
    """
    from scipy.stats import binom

    alpha = (1 - guarantee) / len(tasks)
    learned, tested = _split(tasks, len(confidence), seed)
    sequence = _sequence(confidence, correct, learned, alpha)
    rows = sum(map(len, tested))
    if not sequence.size or not all(map(len, tested)):
        return Guaranteed(None, np.nan, rows)
    counts = [kept_counts(confidence[own], correct[own], sequence) for own in tested]
    passes = np.all(
        [binom.sf(right - 1, kept, accuracy) <= alpha for kept, right in counts], axis=0
    )
    best = min(float(accuracy_bounds(kept[:1], right[:1], alpha)[0]) for kept, right in counts)
    return Guaranteed(last_passed(sequence, passes), best, rows)


def _split(tasks: Rows, n: int, seed: int) -> tuple[Rows, Rows]:
    """Draw a fifth of the rows for learning: those of each task, and the others of each task."""
    is_learned = learning_rows(n, seed)
    return [own[is_learned[own]] for own in tasks], [own[~is_learned[own]] for own in tasks]


def _sequence(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], learned: Rows, alpha: float
) -> NDArray[np.float64]:
    """List the thresholds to test, from the most cautious that has a chance, down to 0."""
    every = np.concatenate(learned)
    if not len(every):
        return np.empty(0)
    every_cut = cuts(confidence[every])
    kept = len(every) - every_cut.routed
    thresholds, kept = every_cut.thresholds[kept > 0], kept[kept > 0]
    if not thresholds.size:
        return np.empty(0)
    bounds = [
        accuracy_bounds(*kept_counts(confidence[own], correct[own], thresholds), alpha)
        for own in learned
    ]
    return stepped_down(thresholds, kept, np.min(bounds, axis=0))
