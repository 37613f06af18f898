"""How well confidence agrees with correctness: AUROC, AUPRC, PRR, ECE and the Brier score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking

ECE_BINS = 15


class Alignment(NamedTuple):
    """The agreement of a method's confidences with correctness, over the answers with a confidence.

    A figure that is undefined is NaN.

    Attributes:
        auroc: the area under the ROC curve, in [0, 1], with ties counted one half. Higher is
            better; 0.5 is chance.
        auprc: the average precision of "the answer is right", in [0, 1]. Higher is better.
        prr: the prediction rejection ratio. 1 is the best, 0 is chance.
        ece: the expected calibration error, in [0, 1]. 0 is the best.
        brier: the mean squared difference of confidence and correctness, in [0, 1]. 0 is the best.
    """

    auroc: float
    auprc: float
    prr: float
    ece: float
    brier: float


def alignment(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Alignment:
    """Compute all figures of one method on one data set.

    Args:
        confidence: [n], in [0, 1], without NaN.
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
    """Compute the probability that a right answer has the higher confidence; a tie counts one half.

    Returns:
        A number in [0, 1]; NaN if all answers are right or all are wrong.

    >>> auroc_score(np.array([0.9, 0.4, 0.4]), np.array([True, False, True]))
    0.75
    """
    return ranked_auroc(ranking(confidence), correct)


def ranked_auroc(ranked: Ranking, correct: NDArray[np.bool_]) -> float:
    """Compute `auroc_score` of ranked confidences as (Σ mid-ranks − P²/2) / (P·(n − P)).

    The sum is over the P right answers (Mann and Whitney 1947).
    """
    right = int(correct.sum())
    wrong = len(correct) - right
    if not (right and wrong):
        return float("nan")
    right_in_tie = np.diff(ranked.running(correct))
    mid_rank = ranked.end - np.diff(ranked.end, prepend=0) / 2
    return float((right_in_tie @ mid_rank - right * right / 2) / (right * wrong))


def auprc_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Compute average precision: Σ (recallₖ − recallₖ₋₁)·precisionₖ over thresholds, surest first.

    The definition is that of scikit-learn's `average_precision_score`.

    Returns:
        A number in [0, 1]; NaN if all answers are right or all are wrong.
    """
    right = int(correct.sum())
    if right in (0, len(correct)):
        return float("nan")
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    right_so_far = np.cumsum(correct[order])[ends]
    precision = right_so_far / (ends + 1)
    return float((np.diff(right_so_far, prepend=0) * precision).sum() / right)


def prr_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Compute the prediction rejection ratio: the share of the oracle's gain that rejection gets.

    The rejection curve is the share of right answers among those kept, when the least confident
    k = 0 … n − 1 are rejected, with ties in expectation over their order. The gain is the area
    under it above that of random rejection. PRR = (area − random area) / (oracle's area − random
    area) (Malinin et al. 2017). Rejection goes up to all but one answer, as in lm-polygraph
    (Fadeeva et al. 2023).

    Returns:
        A number of at most 1; NaN if all answers are right or all are wrong.
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
    """Compute the expected calibration error, over 15 bins of equal width.

    It is Σ (nₕ/n)·|accuracyₕ − mean confidenceₕ| (Guo et al. 2017, arXiv 1706.04599). The
    confidences are taken as they are, never scaled.

    Returns:
        A number in [0, 1]; NaN if there are no answers.
    """
    if not len(correct):
        return float("nan")
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gap = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gap).sum() / len(correct))


def brier_score(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Compute the mean of (confidence − correctness)² (Brier 1950); NaN if there are no answers."""
    return float(np.square(confidence - correct).mean()) if len(correct) else float("nan")


def _expected(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """List correctness [n] from the surest answer to the least sure, with each tie at its mean."""
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, weights=correct) / size, size)
