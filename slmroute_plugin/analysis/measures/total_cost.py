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
        method: [n]: the method: alone on top of the answer, or, if it decides before there is an
            answer, without one.
        llm: [n]: the LLM's answer.
        is_before: whether the method decides before the SLM answers, so that what is routed does
            not take the SLM's answer.
    """

    slm: Floats
    method: Floats
    llm: Floats
    is_before: bool = False

    @classmethod
    def dollars(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the dollars of an SLM, a method and an LLM."""
        unknown = np.full(len(slm.doc_id), np.nan)
        of_method = unknown if scores.cost_usd is None else scores.cost_usd
        return cls(slm.cost_usd, of_method, llm.cost_usd, scores.is_before)

    @classmethod
    def tokens(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the tokens, read and generated."""
        return cls._of("tokens", slm, scores, llm)

    @classmethod
    def seconds(cls, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        """Take the seconds."""
        return cls._of("seconds", slm, scores, llm)

    @classmethod
    def _of(cls, name: str, slm: TaskRun, scores: Scores, llm: TaskRun) -> Spent:
        answer, method, stronger = (_part(of, name, len(slm.doc_id)) for of in (slm, scores, llm))
        return cls(answer, method, stronger, scores.is_before)

    def taken(self, rows: NDArray[np.bool_]) -> Spent:
        """Return what the marked questions [n] take."""
        return Spent(self.slm[rows], self.method[rows], self.llm[rows], self.is_before)

    @property
    def spared(self) -> Floats:
        """The cost that routing a question saves, [n].

        It is the SLM's answer if the method decides before there is an answer, and else nothing.
        """
        return self.slm if self.is_before else np.zeros_like(self.slm)

    @property
    def of_routing(self) -> Floats:
        """The cost that routing a question adds, [n]: the LLM's answer less `spared`."""
        return self.llm - self.spared

    @property
    def of_slm(self) -> float:
        """The sum over all n questions if none is routed: the SLM's answers and the method.

        NaN if either is not known.
        """
        return float(self.slm.sum() + self.method.sum())

    @property
    def break_even(self) -> float:
        """The share 1 − C_SLM / C_LLM, up to which routing costs no more than the LLM alone.

        C_SLM is what all answers of the SLM and the method take, C_LLM all answers of the LLM.
        Where what is routed spares the SLM's answer, the share is (1 − C_SLM / C_LLM) /
        (1 − C_answers / C_LLM), with the SLM's answers alone. A negative share says that the SLM's
        side alone costs more than the LLM. NaN if either is not known, or if routing adds nothing.
        """
        of_llm, added = float(self.llm.sum()), float(self.of_routing.sum())
        return (of_llm - self.of_slm) / added if added > 0 else float("nan")


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
        routed: [c]: what routing adds at each corner.
    """
    start, end = float(spent.slm.sum()), float(spent.llm.sum())
    # Where an answer of the LLM costs less than the SLM's, what was paid is not less for it.
    total = np.maximum.accumulate(spent.of_slm + routed)
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
    method and the LLM, and those of the SLM, unless the method decides before it answers.

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
    routed = kept + spent.of_routing[ranked.order]
    seconds = np.empty((len(ratios), len(kept)), dtype=np.float32)
    for row, count in zip(seconds, np.round(ratios * len(kept)).astype(int), strict=True):
        row[:count], row[count:] = routed[:count], kept[count:]
    return np.asarray(np.median(seconds, axis=1, overwrite_input=True), dtype=np.float64)


def _part(of: TaskRun | Scores, name: str, n: int) -> Floats:
    work = of.work
    if work is None:
        return np.full(n, np.nan)
    return np.asarray(getattr(work, name), dtype=np.float64)
