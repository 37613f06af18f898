"""Routing curves: overall accuracy when the least confident answers go to the LLM."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.storage.threshold_file import EVERYTHING

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """A routing curve, given by its c corners; between them it is straight.

    Attributes:
        ratio: [c]: the share of the questions routed, from 0 to 1, ascending.
        accuracy: [c]: the expected overall accuracy at each ratio.
        cost_usd: [c]: the expected dollars for the LLM's answers; NaN if a price is not known.
        threshold: [c]: the confidence below which an answer is routed at this ratio; the last is
            `EVERYTHING`, so that all are routed.
    """

    ratio: Floats
    accuracy: Floats
    cost_usd: Floats
    threshold: Floats

    def at(self, ratios: Floats) -> Floats:
        """Interpolate the accuracy at other ratios."""
        return np.interp(ratios, self.ratio, self.accuracy)

    def cost_at(self, ratios: Floats) -> Floats:
        """Interpolate the dollars at other ratios."""
        return np.interp(ratios, self.ratio, self.cost_usd)

    def threshold_at(self, ratios: Floats) -> Floats:
        """Find the least thresholds that route at least these shares; ties cannot be parted."""
        return self.threshold[np.searchsorted(self.ratio, ratios - 1e-12)]

    def mean(self, low: float, high: float) -> float:
        """Compute the mean accuracy at call rates from `low` to `high`; NaN unless `low < high`."""
        if not high > low:
            return float("nan")
        inside = self.ratio[(self.ratio > low) & (self.ratio < high)]
        ratio = np.concatenate(([low], inside, [high]))
        return float(np.trapezoid(self.at(ratio), ratio) / (high - low))


class Ranking(NamedTuple):
    """The order of n answers from the least to the most confident, in g groups of equal confidence.

    Attributes:
        order: [n]: the rows, least confident first.
        value: [g]: the different confidences, ascending; −1 stands for an unknown confidence.
        end: [g]: the number of rows with this confidence or less.
    """

    order: NDArray[np.intp]
    value: Floats
    end: NDArray[np.intp]

    def running(self, values: NDArray[Any]) -> Floats:
        """Sum `values` [n] over the least sure rows, up to the end of each group.

        Returns:
            The sums: [g + 1]; the first is that of no rows.
        """
        sums = np.cumsum(values[self.order], dtype=np.float64)
        return np.concatenate(([0.0], sums[self.end - 1]))


def ranking(confidence: Floats) -> Ranking:
    """Rank confidences [n]; NaN is the least sure.

    >>> ranking(np.array([0.7, 0.2, 0.7])).end.tolist()
    [1, 3]
    """
    sure = np.where(np.isnan(confidence), -1.0, confidence)
    order = np.argsort(sure, kind="stable")
    ordered = sure[order]
    is_last = np.append(ordered[1:] != ordered[:-1], np.ones(min(len(order), 1), dtype=bool))
    end = np.flatnonzero(is_last)
    return Ranking(order, ordered[end], end + 1)


def routing_curve(
    ranked: Ranking, slm: NDArray[np.bool_], llm: NDArray[np.bool_], cost_usd: Floats
) -> Curve:
    """Compute the routing curve of one method and one LLM.

    Within a tie, each order of its questions is as likely as any other, so that on average the
    curve is straight there. It has a corner at each different confidence alone, and does not depend
    on the order of rows.

    Args:
        ranked: the ranking of the method's n confidences, which serves every LLM.
        slm: [n]: whether the SLM's answer is right.
        llm: [n]: whether the LLM's answer is right.
        cost_usd: [n]: the dollars of the LLM's answer.

    >>> ranked, both = ranking(np.array([0.2, 0.7])), np.array([True, True])
    >>> curve = routing_curve(ranked, np.array([False, True]), both, np.zeros(2))
    >>> curve.ratio.tolist(), curve.accuracy.tolist()
    ([0.0, 0.5, 1.0], [0.5, 1.0, 1.0])
    """
    n = len(slm)
    gained = ranked.running(llm.astype(np.int8) - slm.astype(np.int8))
    return Curve(
        np.concatenate(([0], ranked.end)) / n,
        (slm.sum() + gained) / n,
        ranked.running(cost_usd),
        np.append(np.maximum(ranked.value, 0.0), EVERYTHING),
    )


def random_curve(slm: NDArray[np.bool_], llm: NDArray[np.bool_], ratios: Floats) -> Floats:
    """Compute the expected accuracy at each ratio when questions are routed by lot."""
    return np.asarray(slm.mean() + ratios * (llm.mean() - slm.mean()))


def oracle_curve(slm: NDArray[np.bool_], llm: NDArray[np.bool_], ratios: Floats) -> Floats:
    """Compute the accuracy at each ratio under the best order of routing.

    The questions that only the LLM has right go first, and those that only the SLM has right go
    last. No router can do better at any ratio.
    """
    won, lost = float((llm & ~slm).mean()), float((slm & ~llm).mean())
    gained = np.minimum(ratios, won) - np.maximum(ratios - (1 - lost), 0)
    return np.asarray(slm.mean() + gained)
