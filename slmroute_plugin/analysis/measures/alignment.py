"""How well confidence agrees with correctness: AUROC, AUPRC, PRR, ECE, Brier score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking

ECE_BINS = 15


class Alignment(NamedTuple):
    """Over the answers with a confidence; NaN where a figure is undefined.

    Attributes:
        auroc: area under the ROC curve; ties count one half. Higher is better, 0.5 is chance.
        auprc: average precision of "the answer is right".
        prr: prediction rejection ratio; 1 is the best, 0 is chance.
        ece: expected calibration error; 0 is the best.
        brier: mean squared difference of confidence and correctness; 0 is the best.
    """

    auroc: float
    auprc: float
    prr: float
    ece: float
    brier: float


def alignment(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Alignment:
    """All figures of one method on one data set.

    Args:
        confidence: [n], in [0, 1], none of them NaN.
        correct: [n].
    """
    return Alignment(
        auroc_score(confidence, correct),
        auprc_score(confidence, correct),
        prr_score(confidence, correct),
        calibration_error(confidence, correct),
        brier_score(confidence, correct),
    )


def auroc_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Probability that a right answer has the higher confidence, ties one half.

    NaN if all answers are right or all are wrong.

    >>> auroc_score(np.array([0.9, 0.4, 0.4]), np.array([True, False, True]))
    0.75
    """
    return ranked_auroc(ranking(confidence), correct)


def ranked_auroc(ranked: Ranking, correct: NDArray[np.bool_]) -> float:
    """`auroc_score` of confidences that are ranked: (Σ mid-ranks − P²/2) / (P·(n − P)).

    The sum is over the P right answers (Mann and Whitney 1947).
    """
    right = int(correct.sum())
    wrong = len(correct) - right
    if not (right and wrong):
        return float("nan")
    found = np.diff(ranked.running(correct))
    mid_rank = ranked.end - np.diff(ranked.end, prepend=0) / 2
    return float((found @ mid_rank - right * right / 2) / (right * wrong))


def auprc_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Average precision: Σ (recallₖ − recallₖ₋₁)·precisionₖ over thresholds, surest first.

    The definition of scikit-learn's `average_precision_score`. NaN if all answers are right or
    all are wrong.
    """
    right = int(correct.sum())
    if right in (0, len(correct)):
        return float("nan")
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    found = np.cumsum(correct[order])[ends]
    precision = found / (ends + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / right)


def prr_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Prediction rejection ratio: how much of the oracle's gain over chance rejecting gets.

    The rejection curve is the share of right answers among those kept, when the least confident
    k = 0 … n − 1 are rejected, ties in expectation over their order; PRR = (area − area of
    random rejection) / (area of the oracle's − area of random). Malinin et al. 2017; the
    convention, with rejection up to all but one answer, is lm-polygraph's (Fadeeva et al. 2023).
    NaN if all answers are right or all are wrong.
    """
    if correct.all() or not correct.any():
        return float("nan")
    kept = np.arange(1, len(correct) + 1)

    def area(expected: NDArray[np.float64]) -> float:
        return float((np.cumsum(expected) / kept).mean())

    chance = float(correct.mean())
    best = area(np.sort(correct.astype(np.float64))[::-1])
    return (area(_expected(confidence, correct)) - chance) / (best - chance)


def calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Expected calibration error: Σ (nₕ/n)·|accuracyₕ − mean confidenceₕ| over 15 equal bins.

    The confidences are taken as they are, never scaled. Guo et al. 2017 (arXiv 1706.04599). NaN
    if there are no answers.
    """
    if not len(correct):
        return float("nan")
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gap).sum() / len(correct))


def brier_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Mean of (confidence − correctness)². Brier 1950. NaN if there are no answers."""
    return float(np.square(confidence - correct).mean()) if len(correct) else float("nan")


def _expected(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Correctness from the surest answer to the least sure, each tie at its mean."""
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, weights=correct) / size, size)
