"""What a study's methods are worth on its data sets, with resamples of the questions.

Figures are means over data sets, so that each data set counts the same. Intervals are of 95%, by
1,000 resamples of the questions of each data set: they say what other questions of the same data
sets could have given, not what other data sets or models would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Areas,
    Interval,
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.comparison import LEVEL, holm
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun

RESAMPLES = 1000
SUREST = 0.2
CHANCE = 0.5
# The quantiles of a test at 5% on two sides, and of a power of 80%.
SHOWN = 1.960 + 0.842
Floats = NDArray[np.float64]


class Figure(NamedTuple):
    """A figure, and its resamples: [R]; NaN where a resample leaves it undefined."""

    value: float
    resampled: Floats

    @property
    def would_have_shown(self) -> float:
        """The smallest distance from chance that so many questions show in four of five studies."""
        return SHOWN * float(np.nanstd(self.resampled))

    @property
    def p_above_chance(self) -> float:
        """The share of resamples that are at chance or below, not below 1 / (R + 1)."""
        return (1 + float(np.sum(~(self.resampled > CHANCE)))) / (1 + len(self.resampled))

    def __str__(self) -> str:
        interval = Interval.of(self.resampled)
        return f"{self.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


class Measured(NamedTuple):
    """A method on the questions of a data set where it has a confidence.

    Attributes:
        scores: its confidences there.
        llm: the LLM's answers to the same questions; None without an LLM.
        counts: the number of times that each question is in each resample.
        whole: the areas of the questions as they are.
        resampled: the areas of the resamples.
    """

    scores: Scores
    llm: TaskRun | None
    counts: Sequence[NDArray[np.float32]]
    whole: Areas
    resampled: Areas


def measured(setting: Setting, scores: Scores, seed: int) -> Measured:
    """Measure a method on a data set, with resamples of its questions."""
    known = scores.known
    counts = [
        block[known]
        for block in resampled_counts(len(known), RESAMPLES, np.random.default_rng(seed))
    ]
    llm = next(iter(setting.llms.values()), None)
    other = scores.correct if llm is None else llm.correct
    rows = Routable(scores.confidence[known], scores.correct[known], other[known][:, None])
    return Measured(
        replace(scores, confidence=scores.confidence[known], correct=scores.correct[known]),
        None if llm is None else replace(llm, correct=llm.correct[known]),
        counts,
        areas(rows),
        resampled_areas(rows, counts),
    )


def by_method(settings: Sequence[Setting]) -> dict[str, list[Measured]]:
    """Measure every method of an SLM on each data set where it has an AUROC."""
    methods: dict[str, list[Measured]] = {}
    for seed, setting in enumerate(settings):
        for method, scores in setting.slm.scores.items():
            if len(np.unique(scores.correct[scores.known])) == 2:
                methods.setdefault(method, []).append(measured(setting, scores, seed))
    return methods


def mean_of(datasets: Sequence[Measured], figure: Callable[[Areas], Floats]) -> Figure:
    """Average a figure of the areas over data sets."""
    whole = [figure(dataset.whole)[0] for dataset in datasets]
    resampled = np.array([figure(dataset.resampled) for dataset in datasets])
    defined = np.sum(~np.isnan(resampled), axis=0)
    with np.errstate(invalid="ignore"):  # a resample without an AUROC on any data set
        return Figure(float(np.mean(whole)), np.nansum(resampled, axis=0) / defined)


def mean_aurocs(methods: Mapping[str, Sequence[Measured]]) -> dict[str, Figure]:
    """Average each method's AUROC over data sets."""
    return {name: mean_of(own, lambda of: of.auroc) for name, own in methods.items()}


def p_above_chance(aurocs: Mapping[str, Figure]) -> dict[str, float]:
    """Compute each method's p-value for a mean AUROC of ½ or less, by Holm's correction."""
    return dict(zip(aurocs, holm([own.p_above_chance for own in aurocs.values()]), strict=True))


def above(aurocs: Mapping[str, Figure]) -> dict[str, int]:
    """Count the methods that each method's mean AUROC is significantly above.

    Args:
        aurocs: the mean AUROC of each method over the same data sets, in the same resamples.
    """
    from scipy.stats import norm

    pairs = list(combinations(aurocs, 2))
    p_values = []
    for first, second in pairs:
        a, b = aurocs[first], aurocs[second]
        error = float(np.nanstd(a.resampled - b.resampled))
        # Methods with the same ranking of every question do not differ.
        p_values.append(2 * norm.sf(abs(a.value - b.value) / error) if error else 1.0)
    count = dict.fromkeys(aurocs, 0)
    for (first, second), p_value in zip(pairs, holm(p_values), strict=True):
        if p_value <= LEVEL:
            count[max(first, second, key=lambda name: aurocs[name].value)] += 1
    return count


def gain(of: Areas) -> Floats:
    """Compute the area under the routing curve above that of routing at random: [R]."""
    return of.area[:, 0] - (of.slm + of.llms[:, 0]) / 2


def surest(datasets: Sequence[Measured]) -> tuple[Figure, Figure]:
    """Average the accuracy of the SLM and of the LLM on the SLM's surest answers over data sets.

    Where confidences tie at the edge, as many of the tied answers are taken as fit, by their share.
    """
    slm, llm = [], []
    for dataset in datasets:
        # Column 0 is every question once.
        once = np.ones((len(dataset.scores.correct), 1))
        weights = _surest_weights(
            dataset.scores.confidence, np.concatenate([once, *dataset.counts], axis=1)
        )
        total = weights.sum(axis=0)
        assert dataset.llm is not None
        with np.errstate(invalid="ignore"):  # a resample without a question that has a confidence
            slm.append(dataset.scores.correct @ weights / total)
            llm.append(dataset.llm.correct @ weights / total)
    means = [np.mean(accuracies, axis=0) for accuracies in (slm, llm)]
    return Figure(means[0][0], means[0][1:]), Figure(means[1][0], means[1][1:])


def _surest_weights(confidence: Floats, counts: Floats) -> Floats:
    """Compute how much of each question is among the surest share, in each resample: [n, R]."""
    values, level = np.unique(-confidence, return_inverse=True)
    by_level = np.zeros((len(values), counts.shape[1]))
    np.add.at(by_level, level, counts)
    taken = np.clip(
        SUREST * counts.sum(axis=0) - (np.cumsum(by_level, axis=0) - by_level), 0, by_level
    )
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(taken / by_level)
    return np.asarray(share[level] * counts)
