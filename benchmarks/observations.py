"""The paper's observations, as figures with intervals, from a folder of results.

    python benchmarks/observations.py runs/small/results

Figures are means over data sets, so that each data set counts the same. Intervals are of 95%, by
1,000 resamples of the questions of each data set: they say what other questions of the same data
sets could have given, not what other data sets or models would.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from own_process import write_or_say

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Areas,
    Interval,
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.distributions import distributions_table
from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun, by_slm

RESAMPLES = 1000
# Distances between whole distributions are dear.
DISTANCE_RESAMPLES = 100
SUREST = 0.2
Floats = NDArray[np.float64]


class Figure(NamedTuple):
    """A figure, and its interval."""

    value: float
    interval: Interval

    @classmethod
    def of(cls, value: float, resampled: Floats) -> Figure:
        """With the interval that its resamples give."""
        return cls(value, Interval.of(resampled))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"


class Routed(NamedTuple):
    """One method on one data set: as it is, and resampled."""

    scores: Scores
    llm: TaskRun
    counts: Sequence[NDArray[np.float32]]
    whole: Areas
    resampled: Areas

    @property
    def gain(self) -> float:
        """Area under the routing curve above that of routing at random."""
        return float(_gain(self.whole)[0])


def routed(setting: Setting, scores: Scores, llm: TaskRun, seed: int) -> Routed:
    """Measure a method on the questions where it has a confidence."""
    known = scores.known
    counts = [
        block[known]
        for block in resampled_counts(len(known), RESAMPLES, np.random.default_rng(seed))
    ]
    one = Routable(scores.confidence[known], scores.correct[known], llm.correct[known][:, None])
    return Routed(
        replace(scores, confidence=scores.confidence[known], correct=scores.correct[known]),
        replace(llm, correct=llm.correct[known]),
        counts,
        areas(one),
        resampled_areas(one, counts),
    )


def mean_of(every: Sequence[Routed], figure: Callable[[Areas], Floats]) -> Figure:
    """The mean over data sets of a figure of the areas."""
    whole = [figure(one.whole)[0] for one in every]
    resampled = [figure(one.resampled) for one in every]
    return Figure.of(float(np.mean(whole)), np.mean(resampled, axis=0))


def surest(every: Sequence[Routed]) -> tuple[Figure, Figure]:
    """Accuracy of the SLM and of the LLM on what the SLM is surest of, mean over data sets.

    Where confidences tie at the edge, as many of those are taken as fit, by their share.
    """
    slm, llm = [], []
    for one in every:
        # Column 0 is every question once.
        counts = np.concatenate([np.ones((len(one.scores.correct), 1)), *one.counts], axis=1)
        weights = _surest_weights(one.scores.confidence, counts)
        total = weights.sum(axis=0)
        slm.append(one.scores.correct @ weights / total)
        llm.append(one.llm.correct @ weights / total)
    means = [np.mean(each, axis=0) for each in (slm, llm)]
    return Figure.of(means[0][0], means[0][1:]), Figure.of(means[1][0], means[1][1:])


def _surest_weights(confidence: Floats, counts: Floats) -> Floats:
    """[n, R]: how much of each question is among the surest share, in each resample."""
    values, level = np.unique(-confidence, return_inverse=True)
    by_level = np.zeros((len(values), counts.shape[1]))
    np.add.at(by_level, level, counts)
    taken = np.clip(
        SUREST * counts.sum(axis=0) - (np.cumsum(by_level, axis=0) - by_level), 0, by_level
    )
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(taken / by_level)
    return share[level] * counts


def _gain(one: Areas) -> Floats:
    return one.area[:, 0] - (one.slm + one.llms[:, 0]) / 2


def distances(study: Study) -> Mapping[str, Figure]:
    """Mean 1-Wasserstein distance between data sets, between SLMs, and between methods."""
    draw = np.random.default_rng(0)
    whole = _mean_distances(study)
    found = [_mean_distances(_resampled(study, draw)) for _ in range(DISTANCE_RESAMPLES)]
    return {
        name: Figure.of(value, np.array([each[name] for each in found]))
        for name, value in whole.items()
    }


def _mean_distances(study: Study) -> Mapping[str, float]:
    table = distributions_table(study)
    table = table[table["measure"] == "wasserstein"]
    return {
        str(name): float(value)
        for name, value in table.groupby("between")["distance"].mean().items()
    }


def _resampled(study: Study, draw: np.random.Generator) -> Study:
    """Other questions of each data set, for all SLMs and methods the same."""
    rows: dict[str, NDArray[np.int64]] = {}
    settings = []
    for setting in study.settings:
        slm = setting.slm
        n = len(slm.doc_id)
        at = rows.setdefault(slm.task, draw.integers(n, size=n))
        scores = {
            method: replace(one, confidence=one.confidence[at], correct=one.correct[at])
            for method, one in slm.scores.items()
        }
        settings.append(replace(setting, slm=replace(slm, scores=scores)))
    return replace(study, settings=settings)


def rank_correlation(cells: Sequence[tuple[float, float]]) -> Figure:
    """Spearman's, with an interval by resampling the cells."""
    from scipy.stats import spearmanr

    pairs = np.array(cells)
    draw = np.random.default_rng(0)
    resampled = [
        spearmanr(*pairs[draw.integers(len(pairs), size=len(pairs))].T).statistic
        for _ in range(RESAMPLES)
    ]
    return Figure.of(float(spearmanr(*pairs.T).statistic), np.array(resampled))


def lines(study: Study) -> Iterator[str]:
    """The tables, in Markdown."""
    cells: list[tuple[float, float]] = []
    for slm, settings in by_slm(study.settings).items():
        by_method: dict[str, list[Routed]] = {}
        answered: dict[str, list[float]] = {}
        for number, setting in enumerate(settings):
            (llm,) = setting.llms.values()
            for method, scores in setting.slm.scores.items():
                answered.setdefault(method, []).append(float(scores.known.mean()))
                if len(np.unique(scores.correct[scores.known])) < 2:
                    continue  # no AUROC
                by_method.setdefault(method, []).append(routed(setting, scores, llm, number))
        yield f"\n{slm}, {len(settings)} data sets\n"
        yield (
            "| method | answers with a confidence | data sets | AUROC | gain over random routing "
            f"| accuracy on the surest {SUREST:.0%} | LLM's on the same |"
        )
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for method, shares in answered.items():
            every = by_method.get(method, [])
            head = f"| {method} | {np.mean(shares):.0%} | {len(every)} |"
            if len(every) < len(settings):
                yield head + " undefined | | | |"
                continue
            cells += [(float(one.whole.auroc[0]), one.gain) for one in every]
            small, large = surest(every)
            auroc = mean_of(every, lambda one: one.auroc)
            yield f"{head} {auroc} | {mean_of(every, _gain)} | {small} | {large} |"
    correlation = rank_correlation(cells)
    yield f"\nSpearman's correlation of AUROC and gain, {len(cells)} cells: {correlation}\n"
    yield "| confidences of another | mean distance |"
    yield "|---|---:|"
    for between, figure in distances(study).items():
        yield f"| {between.removesuffix('s')} | {figure} |"


def main() -> None:
    """Read the results, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="as of `slmroute report`; with one LLM")
    parser.add_argument("--out", type=Path, help="file to write, in place of stdout")
    given = parser.parse_args()
    write_or_say("\n".join(lines(read_study(given.results))) + "\n", given.out)


if __name__ == "__main__":
    main()
