"""Areas under ROC and routing curves, of the rows and of bootstrap resamples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking

_BLOCK = 100  # resamples at a time, so that a block of counts stays small
_ROWS = 512  # rows at a time that are made float64, so that they stay in the cache
_EXACT = 2.0**23  # float32 holds all whole and half numbers below


class Routable(NamedTuple):
    """The answers that may be routed.

    Attributes:
        confidence: [n], float64; NaN, where it is not known, is least sure.
        slm: [n], bool: whether the SLM's answer is right.
        llms: [n, m], bool: whether each LLM's answer is right.
    """

    confidence: NDArray[np.float64]
    slm: NDArray[np.bool_]
    llms: NDArray[np.bool_]


class Interval(NamedTuple):
    """A percentile bootstrap interval of 95%; NaN if it is undefined."""

    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Interval:
        """Take the percentiles 2.5 and 97.5 of the resamples in which a figure is defined."""
        defined = values[~np.isnan(values)]
        if not len(defined):
            return cls(float("nan"), float("nan"))
        return cls(*np.quantile(defined, [0.025, 0.975]).tolist())


class Areas(NamedTuple):
    """The areas and accuracies of R resamples with m LLMs.

    Attributes:
        area: [R, m]: the area under the routing curve with each LLM.
        slm: [R]: the accuracy of the SLM.
        llms: [R, m]: the accuracy of each LLM.
        auroc: [R]: the AUROC of the confidence against the SLM's correctness; NaN where all
            answers are right or all are wrong.
    """

    area: NDArray[np.float64]
    slm: NDArray[np.float64]
    llms: NDArray[np.float64]
    auroc: NDArray[np.float64]


def areas(routable: Routable) -> Areas:
    """Compute the areas and accuracies of the rows as they are, as of a single resample (R = 1).

    The routing curve is overall accuracy against the share of the questions routed, least
    confident first, ties in expectation over their order. Between whole questions it is straight,
    so its area is exactly mean(slmᵢ) + mean((llmᵢ − slmᵢ)·(1 − Fᵢ)), where Fᵢ is the mid-rank of
    a confidence: the share of the rows below it, plus half of those that are equal to it. The
    area under the ROC curve, with ties counted one half, is (Σ Fᵢ·n over right answers − P²/2) /
    (P·(n − P)) for P right answers (Mann and Whitney 1947).

    >>> two = Routable(np.array([0.1, 0.9]), np.array([False, True]), np.array([[True], [True]]))
    >>> areas(two).area.tolist()  # from ½ to 1 at ratio ½, and 1 from there
    [[0.875]]
    >>> areas(two).auroc.tolist()
    [1.0]
    """
    return _weighted(routable, ranking(routable.confidence), np.ones((len(routable.slm), 1)))


def resampled_counts(
    n: int, resamples: int, draw: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Draw with replacement, and count how often each of n rows is in each resample of n rows.

    Returns:
        Blocks of [n, at most 100], `resamples` columns in all.
    """
    blocks = []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        counts = np.empty((n, size), dtype=np.float32)
        for column in range(size):
            counts[:, column] = np.bincount(draw.integers(n, size=n, dtype=np.int32), minlength=n)
        blocks.append(counts)
    return blocks


def resampled_areas(routable: Routable, counts: Sequence[NDArray[np.float32]]) -> Areas:
    """Compute the areas and accuracies of all resamples.

    With the same `counts`, methods are compared on the same resamples. The counts of a resample
    need not sum to n, as when rows without a confidence were left out.
    """
    ranked = ranking(routable.confidence)
    parts = [_weighted(routable, ranked, block) for block in counts]
    return Areas(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _weighted(routable: Routable, ranked: Ranking, counts: NDArray[Any]) -> Areas:
    """Compute the areas where row i occurs counts[i, r] times in resample r."""
    total = counts.sum(axis=0, dtype=np.float64)
    if len(counts) and counts.max() * total.max() >= _EXACT:
        counts = counts.astype(np.float64)
    # One product gives the sums for every LLM, and for the ROC curve.
    verdicts = np.column_stack([routable.slm, routable.llms])[ranked.order].astype(np.float64)

    weighted = counts[ranked.order]
    below = np.cumsum(weighted, axis=0)
    if len(ranked.end) == len(weighted):
        below -= weighted / 2
    else:
        up_to = below[ranked.end - 1]
        before = np.concatenate((np.zeros_like(up_to[:1]), up_to[:-1]))
        size = np.diff(ranked.end, prepend=0)
        below = np.repeat((before + up_to) / 2, size, axis=0)
    below *= weighted  # whole and half numbers so far, and exact
    mid_ranks = np.zeros((counts.shape[1], verdicts.shape[1]))
    right = np.zeros_like(mid_ranks)
    for start in range(0, len(counts), _ROWS):
        rows = slice(start, start + _ROWS)
        mid_ranks += below[rows].T.astype(np.float64) @ verdicts[rows]
        right += weighted[rows].T.astype(np.float64) @ verdicts[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = right / total[:, None]
        kept = mid_ranks / np.square(total)[:, None]
        won, lost = right[:, 0], total - right[:, 0]
        auroc = (mid_ranks[:, 0] - np.square(won) / 2) / (won * lost)
    area = share[:, 1:] + kept[:, :1] - kept[:, 1:]
    auroc = np.where((won > 0) & (lost > 0), auroc, np.nan)
    return Areas(area, share[:, 0], share[:, 1:], auroc)
