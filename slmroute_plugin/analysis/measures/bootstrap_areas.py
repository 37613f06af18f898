"""Areas under ROC and routing curves, of the rows and of bootstrap resamples of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import ranking

_BLOCK = 100  # resamples at a time, so that a block of counts stays in the cache as it is made
_ROWS = 64  # rows at a time that are ranked by a matrix product
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
    ranked = ranking(routable.confidence)
    right = np.stack([ranked.running(verdicts) for verdicts in _verdicts(routable).T])
    mid_rank = ranked.end - np.diff(ranked.end, prepend=0) / 2
    return _areas(right[None, :, -1], (np.diff(right) @ mid_rank)[None])


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

    The sums are of whole and half numbers below 2²³, and so exact in float32. Rows are taken in
    pieces: their mid-ranks within a piece are a matrix product, which is several times faster than
    a running sum over all rows, and all rows of the pieces before are below them.

    With the same `counts`, methods are compared on the same resamples. The counts of a resample
    need not sum to n, as when rows without a confidence were left out.
    """
    ranked, verdicts = ranking(routable.confidence), _verdicts(routable)
    most = max((block.max(initial=0) for block in counts), default=0)
    is_exact = max((_ROWS * most) ** 2, len(verdicts) * most) < _EXACT
    kind = np.float32 if is_exact else np.float64
    quick = verdicts.astype(kind)
    size = sum(block.shape[1] for block in counts)
    below = np.zeros((size, 1))
    right, mid_ranks = np.zeros((size, verdicts.shape[1])), np.zeros((size, verdicts.shape[1]))
    for start, stop in _pieces(ranked.end):
        rows = ranked.order[start:stop]
        weight = np.concatenate([block[rows] for block in counts], axis=1, dtype=kind)
        own = (weight.T @ quick[rows]).astype(np.float64)
        right += own
        if stop - start > _ROWS:
            within = own * own[:, :1] / 2
        else:
            tie = np.searchsorted(ranked.end, np.arange(start, stop), side="right")
            # 1 for each row that is less sure, and ½ for each that is as sure.
            half = (np.sign(tie[:, None] - tie) + 1).astype(kind) / 2
            within = ((half @ weight) * weight).T @ quick[rows]
        mid_ranks += below * own + within
        below += own[:, :1]
    return _areas(right, mid_ranks)


def _verdicts(routable: Routable) -> NDArray[np.float64]:
    """Put 1 for each row beside whether SLM and LLMs are right: [n, 2 + m]."""
    ones = np.ones(len(routable.slm))
    return np.column_stack([ones, routable.slm, routable.llms])


def _pieces(end: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Cut ranked rows into pieces of at most `_ROWS` rows, or of one confidence that has more.

    Args:
        end: [g]: the number of rows with each confidence or less, as in `Ranking`.
    """
    start = 0
    while start < end.max(initial=0):
        whole = int(np.searchsorted(end, start + _ROWS, side="right"))
        stop = int(end[whole - 1]) if whole else 0
        stop = stop if stop > start else int(end[whole])
        yield start, stop
        start = stop


def _areas(right: NDArray[np.float64], mid_ranks: NDArray[np.float64]) -> Areas:
    """Compute areas from sums over the rows of R resamples.

    Args:
        right: [R, 2 + m]: the number of rows, and of right answers of the SLM and of each LLM.
        mid_ranks: [R, 2 + m]: the sums of mid-ranks over the same rows.
    """
    total, won = right[:, 0], right[:, 1]
    lost = total - won
    with np.errstate(divide="ignore", invalid="ignore"):
        share = right[:, 1:] / total[:, None]
        kept = mid_ranks[:, 1:] / np.square(total)[:, None]
        auroc = (mid_ranks[:, 1] - np.square(won) / 2) / (won * lost)
    area = share[:, 1:] + kept[:, :1] - kept[:, 1:]
    auroc = np.where((won > 0) & (lost > 0), auroc, np.nan)
    return Areas(area, share[:, 0], share[:, 1:], auroc)
