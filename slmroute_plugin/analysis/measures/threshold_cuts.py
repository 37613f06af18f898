"""Every way in which a threshold can part answers into kept and routed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking
from slmroute_plugin.storage.threshold_file import EVERYTHING

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Cuts:
    """The k thresholds that differ in the answers they route, the one that routes least first.

    As in a live run, an answer goes to the LLM if its confidence is below the threshold, or if it
    has none. Answers of one confidence cannot be parted, so there is one more cut than there are
    distinct confidences. A threshold lies half-way between two neighbouring confidences, so that
    rounding in a later run does not move answers across it; the last one is `EVERYTHING`.

    Attributes:
        thresholds: [k], ascending; the first is 0, which routes answers without a confidence
            alone. If any answer has a confidence, the last is infinite, which routes all. Those
            between lie in [0, 1].
        routed: [k], int64: the number of answers that each threshold routes.
    """

    thresholds: NDArray[np.float64]
    routed: NDArray[np.int64]
    _ranking: Ranking
    _first: int

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum `values` [n], one per answer, over the answers that each threshold routes.

        Returns:
            The sums: [k].
        """
        running = self._ranking.running(values)
        return running[self._first : self._first + len(self.routed)]


def cuts(confidence: NDArray[np.float64]) -> Cuts:
    """Find the cuts of answers with these confidences.

    Args:
        confidence: [n], n ≥ 1, in [0, 1]; NaN for an answer without a confidence.

    >>> every_cut = cuts(np.array([0.9, 0.5, np.nan, 0.5]))
    >>> every_cut.thresholds.tolist(), every_cut.routed.tolist()
    ([0.0, 0.7, inf], [1, 3, 4])
    """
    ranked = ranking(confidence)
    first = int(ranked.value[0] < 0)  # those without a confidence, if any, go with the first cut
    values = ranked.value[first:]
    low, high = values[:-1], values[1:]
    between = (low + high) / 2
    between = np.where(between > low, between, high)  # neighbours without a number between them
    everything = [EVERYTHING] if values.size else []
    thresholds = np.concatenate(([0.0], between, everything))
    routed = np.concatenate(([0], ranked.end))[first : first + len(thresholds)]
    return Cuts(thresholds, routed, ranked, first)


def last_within(shares: NDArray[np.float64], most: float) -> int:
    """Find the last of ascending `shares` that is not above `most`.

    Returns:
        Its index; −1 if all shares are above `most`.

    >>> last_within(np.array([0.0, 0.25, 0.5]), 0.3), last_within(np.array([0.4]), 0.3)
    (1, -1)
    """
    return int(np.searchsorted(shares, most + _ROUNDING, side="right")) - 1
