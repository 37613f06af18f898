"""The report's figures by scikit-learn and a loop over thresholds, and the same by ours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slmroute_plugin.analysis.study.runs import Setting

THRESHOLDS = np.linspace(0, 1, 101)


class Figures(NamedTuple):
    """The figures of one SLM on one data set.

    Attributes:
        aurocs: [methods · LLMs]: the AUROCs.
        curves: [methods · LLMs, thresholds]: the accuracy at each threshold.
    """

    aurocs: NDArray[np.float64]
    curves: NDArray[np.float64]


class Compared(NamedTuple):
    """A comparison of ours and the plain way, on the same settings.

    Attributes:
        ours_s: the seconds of ours.
        plain_s: the seconds of the plain way.
        largest_difference: the largest difference between their figures.
    """

    ours_s: float
    plain_s: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """The number of times as long that the plain way takes."""
        return self.plain_s / self.ours_s


def compare(settings: Sequence[Setting]) -> Compared:
    """Compare without intervals."""
    begun = time.perf_counter()
    ours = [by_ranking(setting) for setting in settings]
    between = time.perf_counter()
    plain = [by_loop(setting) for setting in settings]
    ended = time.perf_counter()
    return Compared(between - begun, ended - between, _largest_difference(ours, plain))


def compare_resampled(
    settings: Sequence[Setting], resamples: int, plain_resamples: int
) -> Compared:
    """Compare with intervals; the plain way's seconds are scaled to all resamples."""
    from slmroute_plugin.analysis.measures.bootstrap_areas import (
        Routable,
        resampled_areas,
        resampled_counts,
    )

    ours_s = plain_s = largest = 0.0
    for setting in settings:
        llms = np.stack([llm.correct for llm in setting.llms.values()], axis=1)
        begun = time.perf_counter()
        counts = resampled_counts(len(llms), resamples, np.random.default_rng(0))
        ours = [
            resampled_areas(Routable(scores.confidence, scores.correct, llms), counts)
            for scores in setting.slm.scores.values()
        ]
        ours_s += time.perf_counter() - begun
        for resample in range(plain_resamples):
            drawn = counts[0][:, resample].astype(int)
            rows = np.repeat(np.arange(len(drawn)), drawn)
            begun = time.perf_counter()
            aurocs, _ = by_loop(setting, rows)
            plain_s += time.perf_counter() - begun
            own = np.repeat([measured.auroc[resample] for measured in ours], llms.shape[1])
            largest = max(largest, float(np.abs(own - aurocs).max()))
    return Compared(ours_s, plain_s * resamples / plain_resamples, largest)


def by_ranking(setting: Setting) -> Figures:
    """Compute the figures our way: with one ranking for each method, whatever the LLM."""
    from slmroute_plugin.analysis.measures.alignment import ranked_auroc
    from slmroute_plugin.analysis.measures.routing_curves import ranking, routing_curve

    aurocs, curves = [], []
    for scores in setting.slm.scores.values():
        ranked = ranking(scores.confidence)
        below = np.searchsorted(ranked.value, THRESHOLDS)
        auroc = ranked_auroc(ranked, scores.correct)
        for llm in setting.llms.values():
            aurocs.append(auroc)
            curve = routing_curve(ranked, scores.correct, llm.correct, llm.cost_usd)
            curves.append(curve.accuracy[below])
    return Figures(np.asarray(aurocs), np.asarray(curves))


def by_loop(setting: Setting, rows: NDArray[np.int64] | slice = slice(None)) -> Figures:
    """Compute the figures the plain way."""
    from sklearn.metrics import roc_auc_score

    aurocs, curves = [], []
    for scores in setting.slm.scores.values():
        confidence, slm = scores.confidence[rows], scores.correct[rows]
        for llm in setting.llms.values():
            strong = llm.correct[rows]
            aurocs.append(roc_auc_score(slm, confidence))
            curves.append([np.where(confidence < line, strong, slm).mean() for line in THRESHOLDS])
    return Figures(np.asarray(aurocs), np.asarray(curves))


def _largest_difference(ours: Sequence[Figures], plain: Sequence[Figures]) -> float:
    """Find the largest difference between the figures of ours and the plain way."""
    return max(
        float(np.abs(mine - theirs).max())
        for pair in zip(ours, plain, strict=True)
        for mine, theirs in zip(*pair, strict=True)
    )
