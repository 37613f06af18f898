"""The number of rows that a promise needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.goals import Goal
from slmroute_plugin.analysis.calibration.guarantees import LEARNED_SHARE
from slmroute_plugin.analysis.measures.threshold_cuts import cuts

POWER = 0.8
MOST_ROWS = 50_000
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
# A threshold is as good as found if it routes nine tenths of what the promise allows.
_USED = 0.9


class PlanRow(NamedTuple):
    """The rows that a promise needs at one working point.

    Attributes:
        kept: The share of answers that is kept there.
        value: The share routed, or the accuracy of kept answers, as it is taken to be there.
        rows: The rows that let the promise be made with a probability of 0.8; None if 50,000 do
            not.
    """

    kept: float
    value: float
    rows: int | None


def plan(confidence: NDArray[np.float64], correct: NDArray[np.bool_], goal: Goal) -> list[PlanRow]:
    """Return how many rows a promise needs, judged by the answers at hand.

    Args:
        confidence: [n]; NaN for an answer without a confidence.
        correct: [n]: whether each answer is right.
        goal: A share routed, or an accuracy of kept answers, with a guarantee.

    Returns:
        For a share routed, a single row. For an accuracy, a row for each of several shares that
        may be kept, with the accuracy that the answers at hand have there.
    """
    assert goal.guarantee is not None
    if goal.measure == "ratio":
        rate = _USED * goal.value
        return [PlanRow(1 - rate, rate, rows_for_ratio(goal.value, goal.guarantee, rate))]
    every_cut = cuts(confidence)
    kept = len(confidence) - every_cut.routed
    right = correct.sum() - every_cut.sums(correct)
    rows = []
    for share in _SHARES:
        at = np.flatnonzero((kept > 0) & (kept <= share * len(confidence)))
        if not at.size:
            continue
        first = at[0]  # the cut that keeps the most of them
        accuracy = float(right[first] / kept[first])
        needed = rows_for_accuracy(goal.value, goal.guarantee, accuracy)
        in_all = None
        if needed is not None:
            own = float(kept[first] / len(confidence))
            in_all = int(np.ceil(needed / own / (1 - LEARNED_SHARE)))
        rows.append(PlanRow(float(kept[first] / len(confidence)), accuracy, in_all))
    return list(dict.fromkeys(rows))


def rows_for_ratio(ratio: float, guarantee: float, rate: float) -> int | None:
    """Return the rows by which a threshold that routes `rate` can be promised to route ≤ `ratio`.

    The promise is made if Pr(Bin(n, ratio) ≤ k) ≤ 1 − guarantee for the k rows that are routed.

    Args:
        ratio: The largest share routed that is promised, in (0, 1).
        guarantee: The probability with which the promise holds.
        rate: The share that the threshold routes.

    Returns:
        The smallest such number; None if it is above 50,000.

    >>> rows_for_ratio(0.5, 0.95, 0.0)  # 0.5 ** 5 is the first power of 0.5 below 0.05
    5
    """
    from scipy.stats import binom

    n = np.arange(1, MOST_ROWS + 1)
    most = binom.ppf(1 - guarantee, n, ratio).astype(int)
    # `ppf` is the first count whose tail is not below the level: it may be just above it.
    most -= binom.cdf(most, n, ratio) > 1 - guarantee
    return _first(binom.cdf(most, n, rate) >= POWER)


def rows_for_accuracy(accuracy: float, guarantee: float, true_accuracy: float) -> int | None:
    """Return the kept rows by which an accuracy of kept answers can be promised.

    The promise is made if Pr(Bin(n, accuracy) ≥ r) ≤ 1 − guarantee for the r right ones.

    Args:
        accuracy: The least accuracy that is promised, in (0, 1).
        guarantee: The probability with which the promise holds.
        true_accuracy: The accuracy that the kept answers have.

    Returns:
        The smallest such number; None if it is above 50,000.

    >>> rows_for_accuracy(0.5, 0.95, 1.0)
    5
    """
    wrong = 1 - accuracy
    return rows_for_ratio(wrong, guarantee, 1 - true_accuracy)


def _first(reached: NDArray[np.bool_]) -> int | None:
    at = np.flatnonzero(reached)
    return int(at[0]) + 1 if at.size else None
