"""The cost of a cascade, all of it: the SLM's answers, the method, and the LLM's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Curve, Ranking
from slmroute_plugin.analysis.study.runs import Scores, TaskRun

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spent:
    """What n questions take in one unit: dollars, tokens or seconds; NaN where it is not known.

    Attributes:
        slm: [n]: the SLM's answer.
        method: [n]: the method, alone on top of the answer.
        llm: [n]: the LLM's answer.
    """

    slm: Floats
    method: Floats
    llm: Floats

    @classmethod
    def dollars(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the dollars of an SLM, a method and an LLM."""
        unknown = np.full(len(slm.doc_id), np.nan)
        return cls(
            slm.cost_usd, unknown if scores.cost_usd is None else scores.cost_usd, llm.cost_usd
        )

    @classmethod
    def tokens(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the tokens, read and generated."""
        return cls(*(_part(of, "tokens", len(slm.doc_id)) for of in (slm, scores, llm)))

    @classmethod
    def seconds(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the seconds."""
        return cls(*(_part(of, "seconds", len(slm.doc_id)) for of in (slm, scores, llm)))

    def taken(self, rows: NDArray[np.bool_]) -> Spent:
        """Return what the marked questions [n] take."""
        return Spent(self.slm[rows], self.method[rows], self.llm[rows])

    @property
    def of_slm(self) -> float:
        """What every question takes before any is routed: all answers of the SLM, and the method.

        NaN if either is not known.
        """
        return float(self.slm.sum() + self.method.sum())

    @property
    def break_even(self) -> float:
        """The share 1 − C_SLM / C_LLM, up to which routing costs no more than the LLM alone.

        C_SLM is what all answers of the SLM and the method take, C_LLM all answers of the LLM. A
        negative share says that the SLM's side alone costs more than the LLM. NaN if either is not
        known, or the LLM takes nothing.
        """
        of_llm = float(self.llm.sum())
        return 1 - self.of_slm / of_llm if of_llm > 0 else float("nan")


class CostSummary(NamedTuple):
    """The area under accuracy over total cost; NaN if a cost is not known, or the LLM not dearer.

    Attributes:
        area_cost: the mean accuracy over total costs from those of the SLM alone to those of the
            LLM alone: of the cascade, and of the SLM alone where the cascade costs more.
        gain_cost: `area_cost` less the same of the best of both models and of random mixtures.
    """

    area_cost: float
    gain_cost: float


def cost_summary(curve: Curve, spent: Spent, routed: Floats) -> CostSummary:
    """Compute the area under accuracy over total cost.

    Args:
        curve: the routing curve, with c corners.
        spent: what the n questions of the curve take.
        routed: [c]: what the LLM's answers take at each corner.
    """
    start, end = float(spent.slm.sum()), float(spent.llm.sum())
    total = spent.of_slm + routed
    if np.isnan(total).any() or not end > start:
        return CostSummary(float("nan"), float("nan"))
    cost = np.concatenate(([start], total))
    accuracy = np.concatenate((curve.accuracy[:1], curve.accuracy))
    inside = cost < end
    cost = np.append(cost[inside], end)
    last = np.interp(end, total, curve.accuracy) if total[0] <= end else curve.accuracy[0]
    accuracy = np.append(accuracy[inside], last)
    area = float(np.trapezoid(accuracy, cost) / (end - start))
    slm, llm = float(curve.accuracy[0]), float(curve.accuracy[-1])
    return CostSummary(area, area - (slm + max(slm, llm)) / 2)


def median_latency(ranked: Ranking, spent: Spent, ratios: Floats) -> Floats:
    """Compute the median seconds of a question at each ratio of routed questions.

    Whole questions are routed, the least sure first. A routed question takes the seconds of the
    SLM, the method and the LLM.

    Args:
        ranked: the ranking of n confidences.
        spent: the seconds of the questions.
        ratios: [r]: the ratios.

    Returns:
        [r]: the medians; NaN if seconds are not known.
    """
    kept = (spent.slm + spent.method)[ranked.order]
    if np.isnan(kept).any() or np.isnan(spent.llm).any():
        return np.full(len(ratios), np.nan)
    routed = kept + spent.llm[ranked.order]
    seconds = np.empty((len(ratios), len(kept)), dtype=np.float32)
    for row, count in zip(seconds, np.round(ratios * len(kept)).astype(int), strict=True):
        row[:count], row[count:] = routed[:count], kept[count:]
    return np.asarray(np.median(seconds, axis=1, overwrite_input=True), dtype=np.float64)


def _part(of: TaskRun | Scores, name: str, n: int) -> Floats:
    work = of.work
    if work is None:
        return np.full(n, np.nan)
    return np.asarray(getattr(work, name), dtype=np.float64)
