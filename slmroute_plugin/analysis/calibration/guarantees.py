"""Thresholds whose promise holds on new data, with a probability that is chosen beforehand.

Learn then Test (Angelopoulos et al. 2021): each threshold is a hypothesis, "it breaks the promise".
A threshold is used only if its hypothesis is rejected, by a test that controls the probability
of rejecting a single true hypothesis over all thresholds that are tried. Losses are 0 or 1 here, so
the exact binomial tail is the p-value, which is never larger than the Hoeffding–Bentkus one.

The promise is about the source of the questions, not about one batch. If calibration rows and
later questions are drawn from it independently, then with probability `guarantee` over the
calibration rows, the threshold's call rate, or the accuracy of the answers that it keeps, is as
promised. A finite batch varies about it, as any sample does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.threshold_cuts import cuts

LEARNED_SHARE = 0.2
_STEPS = 100


class Guaranteed(NamedTuple):
    """A threshold with a promise.

    Attributes:
        threshold: the threshold; None if the promise cannot be made.
        best: the best promise that these rows allow for, with the same probability: the least
            call rate, or the largest accuracy of kept answers; NaN if nothing is kept.
        tested_on: the number of rows that the tests counted.
    """

    threshold: float | None
    best: float
    tested_on: int


def ratio_at_most(confidence: NDArray[np.float64], ratio: float, guarantee: float) -> Guaranteed:
    """Choose the largest threshold that routes at most a share of new questions, with a guarantee.

    A question is routed if the confidence of its answer is below the threshold t, or if it has
    none; p(t) is the probability of that for a new question. Of the n calibration rows k(t) are
    routed, a binomial number for a fixed t. So Pr(Bin(n, ratio) ≤ k(t)) is a p-value of the
    hypothesis that p(t) exceeds `ratio`. The threshold is the largest whose p-value is at most
    1 − `guarantee`.

    All thresholds may be tried without a correction, and they may be confidences of the rows
    themselves, because p and k both rise with t. Let t* be the largest threshold with
    p(t*) ≤ `ratio`; there is one, as p is continuous from the left. The promise is broken only if a
    threshold above t* is chosen, and then some t' > t* has a p-value of at most 1 − `guarantee`.
    For a fixed t' > t* the probability of that is at most 1 − `guarantee`. As t' falls to t*, these
    events grow to the event that a threshold above t* is chosen, which so has no larger probability
    (Bates et al. 2021, theorem A.1, for risks that are monotone).

    Args:
        confidence: [n], n ≥ 1; NaN for an answer without a confidence.
        ratio: the largest share of questions to route, in [0, 1].
        guarantee: the probability with which the promise holds, in (0, 1).
    """
    from scipy.stats import beta, binom

    every_cut, n = cuts(confidence), len(confidence)
    tail = binom.cdf(every_cut.routed, n, ratio) if ratio < 1 else np.zeros(len(every_cut.routed))
    passed = np.flatnonzero(tail <= 1 - guarantee)
    least = int(every_cut.routed[0])
    best = float(beta.ppf(guarantee, least + 1, n - least)) if least < n else 1.0
    return Guaranteed(float(every_cut.thresholds[passed[-1]]) if passed.size else None, best, n)


def kept_accuracy_at_least(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    accuracy: float,
    guarantee: float,
    seed: int = 0,
) -> Guaranteed:
    """Choose a threshold whose kept answers have at least a promised accuracy, with a guarantee.

    An answer is kept if its confidence is not below the threshold t, and a(t) is the probability
    that a kept answer is right. Of N kept calibration rows, the number R of right answers is
    binomial for a fixed t. So Pr(Bin(N, accuracy) ≥ R) is a p-value of the hypothesis that a(t) is
    below `accuracy`; without kept rows it is 1.

    Because a(t) need not rise with t, not all thresholds may be tried. They are tested in a fixed
    sequence, from the one that keeps least on, each at level 1 − `guarantee`, until a hypothesis is
    not rejected; the last threshold before that is chosen. In the sequence, the first threshold
    that would break the promise is a fixed one. A threshold that breaks it is chosen only if the
    true hypothesis there is rejected, which has a probability of at most 1 − `guarantee`
    (fixed-sequence testing; Learn then Test, proposition 2).

    For this, thresholds and their order must not depend on the rows that are tested. So a fifth of
    the rows, drawn by `seed`, serves for learning alone (split fixed-sequence testing), and all
    others are tested. The thresholds are cuts of the rows for learning. The sequence starts where
    the lower bound of the accuracy on these is best, and goes down in steps of a hundredth of the
    answers.

    `best` is the Clopper–Pearson lower bound at the start of the sequence, which does not depend
    on `accuracy`: the promise can be made exactly if `accuracy` is no larger.

    Args:
        confidence: [n]; NaN for an answer without a confidence, which is never kept.
        correct: [n]: whether each answer, if kept, is right.
        accuracy: the least accuracy of kept answers, in [0, 1].
        guarantee: the probability with which the promise holds, in (0, 1).
        seed: the seed of the split.

    Sources: Angelopoulos et al. 2021, *Learn then Test*, arXiv 2110.01052; Geifman & El-Yaniv
    2017, *Selective Classification for Deep Neural Networks*, arXiv 1705.08500, for the binomial
    bound of kept answers.
    """
    from scipy.stats import binom

    learned = learning_rows(len(confidence), seed)
    sequence = _sequence(confidence[learned], correct[learned], guarantee)
    tested, right = confidence[~learned], correct[~learned]
    if not (sequence.size and len(tested)):
        return Guaranteed(None, np.nan, len(tested))

    kept, kept_right = kept_counts(tested, right, sequence)
    # Pr(Bin(N, a) ≥ r) = Pr(Bin(N, a) > r − 1)
    p_values = binom.sf(kept_right - 1, kept, accuracy)
    threshold = last_passed(sequence, p_values <= 1 - guarantee)
    bounds = accuracy_bounds(kept[:1], kept_right[:1], 1 - guarantee)
    return Guaranteed(threshold, float(bounds[0]) if kept[0] else np.nan, len(tested))


def learning_rows(n: int, seed: int) -> NDArray[np.bool_]:
    """Draw the fifth of n rows that thresholds are learned from: [n]."""
    learned = np.zeros(n, bool)
    learned[np.random.default_rng(seed).permutation(n)[: int(LEARNED_SHARE * n)]] = True
    return learned


def last_passed(sequence: NDArray[np.float64], passes: NDArray[np.bool_]) -> float | None:
    """Return the last threshold before the first that fails its test; None if there is none."""
    failed = np.flatnonzero(~passes)
    passed = int(failed[0]) if failed.size else len(sequence)
    return float(sequence[passed - 1]) if passed else None


def accuracy_bounds(
    kept: NDArray[np.int64], right: NDArray[np.int64], alpha: float
) -> NDArray[np.float64]:
    """Return the lower Clopper–Pearson bounds of accuracies; 0 where nothing is right or kept."""
    from scipy.stats import beta

    bounds = beta.ppf(alpha, right, kept - right + 1)
    return np.where(right == 0, 0.0, bounds)


def _sequence(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], guarantee: float
) -> NDArray[np.float64]:
    """List the thresholds to test, from the most cautious that has a chance, down to 0."""
    if not len(confidence):
        return np.empty(0)
    every_cut = cuts(confidence)
    kept = len(confidence) - every_cut.routed
    right = correct.sum() - every_cut.sums(correct)
    keeps = kept > 0
    if not keeps.any():
        return np.empty(0)
    thresholds, kept, right = every_cut.thresholds[keeps], kept[keeps], right[keeps]
    return stepped_down(thresholds, kept, accuracy_bounds(kept, right, 1 - guarantee))


def stepped_down(
    thresholds: NDArray[np.float64], kept: NDArray[np.int64], bound: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the thresholds from the one with the best bound down, in a hundred steps at most.

    Args:
        thresholds: [k], ascending.
        kept: [k]: the number of answers that each keeps.
        bound: [k]: the lower bound of the accuracy of each.
    """
    start = int(np.flatnonzero(bound == bound.max())[0])
    # `kept` falls with the threshold: for each step, the last cut that still keeps that many.
    steps = np.linspace(kept[start], kept[0], min(_STEPS, start + 1))
    at = np.searchsorted(-kept[: start + 1], -steps, side="right") - 1
    return thresholds[np.unique(at)[::-1]]


def kept_counts(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the answers that each threshold keeps, and the right answers among them."""
    known = ~np.isnan(confidence)
    order = np.argsort(confidence[known], kind="stable")
    ascending, right = confidence[known][order], correct[known][order]
    below = np.searchsorted(ascending, thresholds, side="left")
    right_below = np.concatenate(([0], np.cumsum(right)))
    return len(ascending) - below, right_below[-1] - right_below[below]
