"""How well confidences are probabilities, before and after a map: ECE, Brier score, log-loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.alignment import ECE_BINS, brier_score, calibration_error
from slmroute_plugin.analysis.measures.bootstrap_areas import Interval
from slmroute_plugin.analysis.measures.probability_map import log_losses

Floats = NDArray[np.float64]


class Calibration(NamedTuple):
    """The errors of confidences as probabilities of being right; 0 is the best; NaN if undefined.

    Each is a number, or an array with a number for each resample.

    Attributes:
        ece: the expected calibration error over 15 bins of equal width, in [0, 1].
        brier: the mean squared difference of confidence and correctness, in [0, 1].
        log_loss: the mean log-loss in nats.
    """

    ece: Any
    brier: Any
    log_loss: Any


class Reliability(NamedTuple):
    """A reliability diagram: the answers by their confidence, in 15 bins of equal width.

    Attributes:
        n: [15]: the number of answers in each bin.
        confidence: [15]: their mean confidence; NaN in an empty bin.
        accuracy: [15]: the share of right answers among them; NaN in an empty bin.
        low: [15]: the lower end of its exact (Clopper–Pearson) 95% interval.
        high: [15]: the upper end.
    """

    n: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats


def calibration(probability: Floats, correct: NDArray[np.bool_]) -> Calibration:
    """Compute the errors of probabilities [n], in [0, 1] without NaN."""
    if not len(correct):
        return Calibration(np.nan, np.nan, np.nan)
    return Calibration(
        calibration_error(probability, correct),
        brier_score(probability, correct),
        float(log_losses(probability, correct).mean()),
    )


def resampled_calibration(
    probability: Floats, correct: NDArray[np.bool_], counts: Sequence[NDArray[np.float32]]
) -> Calibration:
    """Compute the errors of each of R resamples: arrays of [R].

    Args:
        probability: [n], in [0, 1], without NaN.
        correct: [n].
        counts: blocks of [n, resamples], how often each row is in each resample.
    """
    # One product gives all sums: of the gap in each bin, of squares, of losses, and of rows.
    sums = np.zeros((ECE_BINS + 3, len(correct)), dtype=np.float32)
    gap = correct - probability
    sums[_bins(probability), np.arange(len(correct))] = gap
    sums[ECE_BINS:] = [np.square(gap), log_losses(probability, correct), np.ones(len(correct))]
    blocks = [sums @ block for block in counts]
    if not blocks:
        return Calibration(*(np.empty(0) for _ in Calibration._fields))
    total = np.concatenate(blocks, axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        gaps, brier, loss = (
            part / total[-1] for part in (np.abs(total[:ECE_BINS]).sum(axis=0), *total[-3:-1])
        )
    return Calibration(gaps, brier, loss)


def intervals(observed: Calibration, resampled: Calibration) -> dict[str, Interval]:
    """Take the 95% interval of each error, by its name.

    The ECE of a resample lies above that of the rows, because bins of few answers stray from their
    mean: its interval is moved down by that bias, and not below 0.

    Args:
        observed: the errors of the rows.
        resampled: the errors of each resample.
    """
    ece = resampled.ece
    if len(ece):
        ece = np.maximum(ece - (np.nanmean(ece) - observed.ece), 0.0)
    return {
        "ece": Interval.of(ece),
        "brier": Interval.of(resampled.brier),
        "log_loss": Interval.of(resampled.log_loss),
    }


def reliability(probability: Floats, correct: NDArray[np.bool_]) -> Reliability:
    """Sort answers with probabilities [n], in [0, 1] without NaN, into a reliability diagram."""
    from scipy.stats import beta

    bins = _bins(probability)
    n = np.bincount(bins, minlength=ECE_BINS)
    right = np.bincount(bins, weights=correct, minlength=ECE_BINS)
    total = np.bincount(bins, weights=probability, minlength=ECE_BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence, accuracy = total / n, right / n
    low = np.where(right > 0, beta.ppf(0.025, right, n - right + 1), 0.0)
    high = np.where(right < n, beta.ppf(0.975, right + 1, n - right), 1.0)
    empty = n == 0
    return Reliability(
        n, confidence, accuracy, np.where(empty, np.nan, low), np.where(empty, np.nan, high)
    )


def _bins(probability: Floats) -> NDArray[np.int64]:
    """Find the bin of each probability [n]; 1 belongs to the last bin."""
    return np.minimum((probability * ECE_BINS).astype(np.int64), ECE_BINS - 1)
