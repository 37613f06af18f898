"""A routing curve in numbers: area, APGR, CPT, AIQ, LPM, MPM, HCR."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Curve

Floats = NDArray[np.float64]

LOW_BAND = (0.0, 0.1)
"""The call rates over which LPM averages (RouterXBench, arXiv 2602.11877)."""

HIGH_BAND = (0.7, 0.9)
"""The band of HCR, as shares of the way from the SLM's to the LLM's accuracy (RouterXBench)."""


class Summary(NamedTuple):
    """The numbers that sum up a routing curve; a number that is undefined is NaN.

    Attributes:
        area: the mean accuracy over call rates from 0 to 1.
        apgr: the average performance gap recovered, (area − SLM) / (LLM − SLM) (RouteLLM, arXiv
            2406.18665). This and the following but `aiq` and `lpm` need an LLM that is better
            than the SLM.
        cpt_50: the call-performance threshold: the least call rate that recovers 50% of the gap
            (RouteLLM), where the curve first gets there.
        cpt_80: the same for 80%.
        cpt_95: the same for 95%.
        aiq: the average improvement in quality: the area under the non-decreasing concave hull of
            accuracy over dollars, divided by the range of dollars (RouterBench, arXiv 2403.12031).
        lpm: the mean accuracy at call rates of 0–10% (RouterXBench).
        mpm: the mean accuracy from a call rate of 10% to where the high band begins.
        hcr: 1 − the mean call rate at which accuracy lies in the high band, 70–90% of the way
            from the SLM's to the LLM's (RouterXBench).
        gain_over_random: the area less that of random routing.
    """

    area: float
    apgr: float
    cpt_50: float
    cpt_80: float
    cpt_95: float
    aiq: float
    lpm: float
    mpm: float
    hcr: float
    gain_over_random: float


def summary(curve: Curve) -> Summary:
    """Compute the numbers that sum up a routing curve."""
    slm, llm = float(curve.accuracy[0]), float(curve.accuracy[-1])
    area = curve.mean(0.0, 1.0)
    gap = llm - slm
    is_better = gap > 1e-12
    nan = float("nan")
    band = [slm + share * gap for share in HIGH_BAND]
    return Summary(
        area=area,
        apgr=(area - slm) / gap if is_better else nan,
        cpt_50=first_crossing(curve, slm + 0.5 * gap) if is_better else nan,
        cpt_80=first_crossing(curve, slm + 0.8 * gap) if is_better else nan,
        cpt_95=first_crossing(curve, slm + 0.95 * gap) if is_better else nan,
        aiq=average_improvement(curve.cost_usd, curve.accuracy),
        lpm=curve.mean(*LOW_BAND),
        mpm=curve.mean(LOW_BAND[1], first_crossing(curve, band[0])) if is_better else nan,
        hcr=1 - mean_call_rate(curve, *band) if is_better else nan,
        gain_over_random=area - (slm + llm) / 2,
    )


def first_crossing(curve: Curve, accuracy: float) -> float:
    """Find the least call rate at which a curve reaches an accuracy; NaN if it never does."""
    # Accuracies are sums of whole numbers divided by n, and may miss the mark by a rounding.
    reached = np.flatnonzero(curve.accuracy >= accuracy - 1e-12)
    if not len(reached):
        return float("nan")
    corner = int(reached[0])
    if corner == 0:
        return 0.0
    before, after = curve.accuracy[corner - 1], curve.accuracy[corner]
    part = (accuracy - before) / (after - before)
    step = curve.ratio[corner] - curve.ratio[corner - 1]
    return float(curve.ratio[corner - 1] + min(part, 1.0) * step)


def mean_call_rate(curve: Curve, low: float, high: float) -> float:
    """Compute the mean of the call rates at which accuracy lies between `low` and `high`.

    The result is exact, from the straight pieces of the curve. A piece that crosses the band counts
    with the part that lies in it.

    Returns:
        A call rate in [0, 1]; NaN if accuracy lies nowhere in the band.
    """
    start, end = curve.accuracy[:-1], curve.accuracy[1:]
    rise = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        at_low, at_high = (low - start) / rise, (high - start) / rise
    is_flat = rise == 0
    inside = (start >= low) & (start <= high)
    enters = np.where(is_flat, np.where(inside, 0, 1), np.minimum(at_low, at_high)).clip(0, 1)
    leaves = np.where(is_flat, 1, np.maximum(at_low, at_high)).clip(0, 1)
    width = np.diff(curve.ratio)
    length = (leaves - enters) * width
    if length.sum() <= 0:
        return float("nan")
    middle = curve.ratio[:-1] + (enters + leaves) / 2 * width
    return float((length * middle).sum() / length.sum())


def average_improvement(cost: Floats, quality: Floats) -> float:
    """Compute AIQ, the average improvement in quality.

    It is the area under the non-decreasing concave hull of (cost, quality), divided by the range of
    costs.

    Returns:
        A quality; NaN if a cost is not known, or all costs are the same.
    """
    if np.isnan(cost).any() or not cost.max() > cost.min():
        return float("nan")
    order = np.lexsort((quality, cost))
    x, y = cost[order], np.maximum.accumulate(quality[order])
    is_last = np.append(x[1:] > x[:-1], True)
    x, y = _concave_hull(x[is_last], y[is_last])
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def _concave_hull(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Find the corners of the least concave curve over points of ascending `x`."""
    while True:
        # A point on or under the line between its neighbours is not a corner. Several may be
        # dropped at a time, as the line is between points of the same set.
        across = (x[1:-1] - x[:-2]) * (y[2:] - y[:-2]) - (y[1:-1] - y[:-2]) * (x[2:] - x[:-2])
        is_corner = np.concatenate(([True], across < 0, [True]))
        if is_corner.all():
            return x, y
        x, y = x[is_corner], y[is_corner]
