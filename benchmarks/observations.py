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
        """Take the interval of a figure from its resamples."""
        return cls(value, Interval.of(resampled))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"


class Routed(NamedTuple):
    """A method on one data set, as it is and resampled.

    Attributes:
        scores: its confidences, where it has any.
        llm: the LLM's answers to the same questions.
        counts: the number of times that each question is in each resample.
        whole: the areas of the questions as they are.
        resampled: the areas of the resamples.
    """

    scores: Scores
    llm: TaskRun
    counts: Sequence[NDArray[np.float32]]
    whole: Areas
    resampled: Areas

    @property
    def gain(self) -> float:
        """The area under the routing curve above that of routing at random."""
        return float(_gain(self.whole)[0])


def routed(setting: Setting, scores: Scores, llm: TaskRun, seed: int) -> Routed:
    """Measure a method on the questions where it has a confidence."""
    known = scores.known
    counts = [
        block[known]
        for block in resampled_counts(len(known), RESAMPLES, np.random.default_rng(seed))
    ]
    rows = Routable(scores.confidence[known], scores.correct[known], llm.correct[known][:, None])
    return Routed(
        replace(scores, confidence=scores.confidence[known], correct=scores.correct[known]),
        replace(llm, correct=llm.correct[known]),
        counts,
        areas(rows),
        resampled_areas(rows, counts),
    )


def mean_of(datasets: Sequence[Routed], figure: Callable[[Areas], Floats]) -> Figure:
    """Average a figure of the areas over data sets."""
    whole = [figure(dataset.whole)[0] for dataset in datasets]
    resampled = [figure(dataset.resampled) for dataset in datasets]
    return Figure.of(float(np.mean(whole)), np.mean(resampled, axis=0))


def surest(datasets: Sequence[Routed]) -> tuple[Figure, Figure]:
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
        slm.append(dataset.scores.correct @ weights / total)
        llm.append(dataset.llm.correct @ weights / total)
    means = [np.mean(accuracies, axis=0) for accuracies in (slm, llm)]
    return Figure.of(means[0][0], means[0][1:]), Figure.of(means[1][0], means[1][1:])


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
    return share[level] * counts


def _gain(measured: Areas) -> Floats:
    """Compute the area under the routing curve above that of routing at random: [R]."""
    return measured.area[:, 0] - (measured.slm + measured.llms[:, 0]) / 2


def distances(study: Study) -> Mapping[str, Figure]:
    """Average the 1-Wasserstein distances between data sets, between SLMs, and between methods."""
    draw = np.random.default_rng(0)
    whole = _mean_distances(study)
    drawn = [_mean_distances(_resampled(study, draw)) for _ in range(DISTANCE_RESAMPLES)]
    return {
        name: Figure.of(value, np.array([means[name] for means in drawn]))
        for name, value in whole.items()
    }


def _mean_distances(study: Study) -> Mapping[str, float]:
    """Average the 1-Wasserstein distances, by what their pairs differ in."""
    table = distributions_table(study)
    table = table[table["measure"] == "wasserstein"]
    return {
        str(name): float(value)
        for name, value in table.groupby("between")["distance"].mean().items()
    }


def _resampled(study: Study, draw: np.random.Generator) -> Study:
    """Draw other questions of each data set, the same for all SLMs and methods."""
    rows: dict[str, NDArray[np.int64]] = {}
    settings = []
    for setting in study.settings:
        slm = setting.slm
        n = len(slm.doc_id)
        at = rows.setdefault(slm.task, draw.integers(n, size=n))
        scores = {
            method: replace(whole, confidence=whole.confidence[at], correct=whole.correct[at])
            for method, whole in slm.scores.items()
        }
        settings.append(replace(setting, slm=replace(slm, scores=scores)))
    return replace(study, settings=settings)


def rank_correlation(cells: Sequence[tuple[float, float]]) -> Figure:
    """Compute Spearman's rank correlation, with an interval by resampling the cells."""
    from scipy.stats import spearmanr

    pairs = np.array(cells)
    draw = np.random.default_rng(0)
    resampled = [
        spearmanr(*pairs[draw.integers(len(pairs), size=len(pairs))].T).statistic
        for _ in range(RESAMPLES)
    ]
    return Figure.of(float(spearmanr(*pairs.T).statistic), np.array(resampled))


def lines(study: Study) -> Iterator[str]:
    """Yield the lines of the tables, in Markdown."""
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
            datasets = by_method.get(method, [])
            head = f"| {method} | {np.mean(shares):.0%} | {len(datasets)} |"
            if len(datasets) < len(settings):
                yield head + " undefined | | | |"
                continue
            cells += [(float(dataset.whole.auroc[0]), dataset.gain) for dataset in datasets]
            small, large = surest(datasets)
            auroc = mean_of(datasets, lambda measured: measured.auroc)
            yield f"{head} {auroc} | {mean_of(datasets, _gain)} | {small} | {large} |"
    correlation = rank_correlation(cells)
    yield f"\nSpearman's correlation of AUROC and gain, {len(cells)} cells: {correlation}\n"
    yield "| confidences of another | mean distance |"
    yield "|---|---:|"
    for between, figure in distances(study).items():
        yield f"| {between.removesuffix('s')} | {figure} |"


def main() -> None:
    """Read the results, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="as of `slmroute report`; with one LLM")
    parser.add_argument("--out", type=Path, help="file to write, in place of stdout")
    given = parser.parse_args()
    write_or_say("\n".join(lines(read_study(given.results))) + "\n", given.out)


if __name__ == "__main__":
    main()
