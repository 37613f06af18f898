"""Areas under ROC and routing curves, of the rows and of bootstrap resamples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 100  # resamples at a time, so that a block of counts stays small


class Routable(NamedTuple):
    """Answers that may be routed.

    Attributes:
        confidence: [n], float64; NaN, where it is not known, is least sure.
        slm: [n], bool: whether the SLM's answer is right.
        llms: [n, m], bool: whether each LLM's answer is right.
    """

    confidence: NDArray[np.float64]
    slm: NDArray[np.bool_]
    llms: NDArray[np.bool_]


class Areas(NamedTuple):
    """Of R resamples.

    Attributes:
        area: [R, m]: under the routing curve, with each LLM.
        slm: [R]: accuracy of the SLM.
        llms: [R, m]: accuracy of each LLM.
        auroc: [R]: of the confidence against the SLM's correctness; NaN where all answers are
            right or all are wrong.
    """

    area: NDArray[np.float64]
    slm: NDArray[np.float64]
    llms: NDArray[np.float64]
    auroc: NDArray[np.float64]


def areas(routable: Routable) -> Areas:
    """Of the rows as they are: R = 1.

    The routing curve is overall accuracy against the share of the questions routed, least
    confident first, ties in expectation over their order. Between whole questions it is straight,
    so its area is exactly mean(slmᵢ) + mean((llmᵢ − slmᵢ)·(1 − Fᵢ)), where Fᵢ is the mid-rank of
    a confidence: the share of the rows below it, plus half of those that are equal to it. The
    area under the ROC curve, with ties counted one half, is (Σ Fᵢ·n over right answers − P²/2) /
    (P·(n − P)) for P right answers (Mann and Whitney 1947).

    >>> one = Routable(np.array([0.1, 0.9]), np.array([False, True]), np.array([[True], [True]]))
    >>> areas(one).area.tolist()  # from ½ to 1 at ratio ½, and 1 from there
    [[0.875]]
    >>> areas(one).auroc.tolist()
    [1.0]
    """
    return _weighted(routable, np.ones((len(routable.slm), 1)))


def resampled_counts(
    n: int, resamples: int, draw: np.random.Generator
) -> list[NDArray[np.float32]]:
    """How often each of n rows is in each resample: drawn with replacement, as many as there are.

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
    """Of all resamples, to about six decimals.

    Given the same `counts`, methods are compared on the same resamples. A resample may weigh the
    rows at hand differently in all, as when rows without a confidence were left out.
    """
    parts = [_weighted(routable, block) for block in counts]
    return Areas(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _weighted(routable: Routable, counts: NDArray[Any]) -> Areas:
    """Areas where the row i occurs counts[i, r] times in the resample r."""
    confidence, slm, llms = routable
    total = counts.sum(axis=0)
    value = np.where(np.isnan(confidence), -1.0, confidence)
    order = np.argsort(value, kind="stable")
    value = value[order]
    is_first = np.concatenate(([True], value[1:] != value[:-1]))
    # One product gives the sums for every LLM, and for the ROC curve.
    verdicts = np.column_stack([slm, llms]).astype(counts.dtype)

    weighted = counts[order]
    below = np.cumsum(weighted, axis=0)
    if is_first.all():
        below -= weighted / 2
    else:
        up_to = below[np.flatnonzero(np.append(is_first[1:], True))]
        before = np.concatenate((np.zeros_like(up_to[:1]), up_to[:-1]))
        below = ((before + up_to) / 2)[np.cumsum(is_first) - 1]
    weighted *= below  # whole and half numbers so far, and exact
    ranked = (weighted.T @ verdicts[order]).astype(np.float64)
    right = (counts.T @ verdicts).astype(np.float64)
    total = total.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = right / total[:, None]
        kept = ranked / np.square(total)[:, None]
        auroc = (ranked[:, 0] - np.square(right[:, 0]) / 2) / (right[:, 0] * (total - right[:, 0]))
    area = share[:, 1:] + kept[:, :1] - kept[:, 1:]
    auroc = np.where((right[:, 0] > 0) & (right[:, 0] < total), auroc, np.nan)
    return Areas(area, share[:, 0], share[:, 1:], auroc)
