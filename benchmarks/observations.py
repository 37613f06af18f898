"""What a study found: each method's agreement and routing, and the paper's observations.

    python benchmarks/observations.py runs/study/results

Figures are means over data sets, so that each data set counts the same. Intervals are of 95%, by
1,000 resamples of the questions of each data set: they say what other questions of the same data
sets could have given, not what other data sets or models would. p-values are of the same
resamples, for the hypothesis that the mean AUROC is ½ or less, corrected by Holm's procedure over
the methods of a model. The AUROC that "would have shown" is the smallest that so many questions
show to be above ½ in four of five studies, by a test at 5% on two sides. "Above" is the number of
the model's other methods whose mean AUROC is lower, by paired tests at 5% on two sides with Holm's
correction over all pairs. Tokens are those read and generated for the method alone, on top of the
answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
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
from slmroute_plugin.analysis.measures.comparison import LEVEL, holm
from slmroute_plugin.analysis.measures.distributions import distributions_table
from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun, by_slm
from slmroute_plugin.sweep.report_options import report_options

RESAMPLES = 1000
# Distances between whole distributions are dear.
DISTANCE_RESAMPLES = 100
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

    def p_above(self, chance: float) -> float:
        """Compute the share of resamples that are at chance or below, not below 1 / (R + 1)."""
        return (1 + float(np.sum(~(self.resampled > chance)))) / (1 + len(self.resampled))

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


def above_chance(aurocs: Mapping[str, Figure]) -> frozenset[str]:
    """Find the methods whose mean AUROC is above chance after Holm's correction."""
    p_values = holm([figure.p_above(CHANCE) for figure in aurocs.values()])
    return frozenset(
        name for name, p_value in zip(aurocs, p_values, strict=True) if p_value <= LEVEL
    )


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


def _gain(of: Areas) -> Floats:
    """Compute the area under the routing curve above that of routing at random: [R]."""
    return of.area[:, 0] - (of.slm + of.llms[:, 0]) / 2


def distances(study: Study) -> Mapping[str, Figure]:
    """Average the 1-Wasserstein distances between data sets, between SLMs, and between methods."""
    draw = np.random.default_rng(0)
    whole = _mean_distances(study)
    drawn = [_mean_distances(_resampled(study, draw)) for _ in range(DISTANCE_RESAMPLES)]
    return {
        name: Figure(value, np.array([means[name] for means in drawn]))
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
    return Figure(float(spearmanr(*pairs.T).statistic), np.array(resampled))


def mean_tokens(scores: Sequence[Scores]) -> str:
    """Average the tokens beyond the answer over all questions; "" if some are not known."""
    work = [own.work for own in scores]
    if any(own is None for own in work):
        return ""
    mean = np.mean(np.concatenate([own.tokens for own in work if own is not None]))
    return "" if np.isnan(mean) else f"{mean:,.0f}"


def by_method(settings: Sequence[Setting]) -> dict[str, list[Measured]]:
    """Measure every method of an SLM on each data set where it has an AUROC."""
    methods: dict[str, list[Measured]] = {}
    for seed, setting in enumerate(settings):
        for method, scores in setting.slm.scores.items():
            if len(np.unique(scores.correct[scores.known])) == 2:
                methods.setdefault(method, []).append(measured(setting, scores, seed))
    return methods


def accuracy_lines(study: Study) -> Iterator[str]:
    """Yield the table of accuracies: a row for each SLM, a column for each data set."""
    names = sorted({setting.slm.task for setting in study.settings})
    yield "| accuracy (questions) | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for slm, settings in by_slm(study.settings).items():
        right = {each.slm.task: each.slm.correct for each in settings}
        cells = (
            f"{right[name].mean():.2f} ({len(right[name])})" if name in right else ""
            for name in names
        )
        yield f"| {slm} | " + " | ".join(cells) + " |"


def agreement_lines(
    settings: Sequence[Setting], methods: Mapping[str, list[Measured]]
) -> Iterator[str]:
    """Yield the table of agreement with correctness of an SLM's methods, the best first."""
    yield (
        "| method | tokens beyond the answer | with a confidence | data sets | AUROC | p "
        "| would have shown | above |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    aurocs = mean_aurocs(methods)
    names = sorted(aurocs, key=lambda name: -aurocs[name].value)
    everywhere = {name: aurocs[name] for name in names if len(methods[name]) == len(settings)}
    lower = above(everywhere)
    for name, p_value in zip(
        names, holm([aurocs[name].p_above(CHANCE) for name in names]), strict=True
    ):
        scores = [each.slm.scores[name] for each in settings if name in each.slm.scores]
        answered = np.mean(np.concatenate([own.known for own in scores]))
        yield (
            f"| `{name}` | {mean_tokens(scores)} | {answered:.0%} | {len(methods[name])} "
            f"| {aurocs[name]} | {p_value:.3f} | {CHANCE + aurocs[name].would_have_shown:.2f} "
            f"| {lower.get(name, '')} |"
        )


def routing_lines(methods: Mapping[str, list[Measured]]) -> Iterator[str]:
    """Yield the table of what routing by an SLM's methods gains, the best first."""
    yield (
        f"| method | gain over random routing | accuracy on the surest {SUREST:.0%} "
        "| LLM's on the same |"
    )
    yield "|---|---:|---:|---:|"
    gains = {name: mean_of(own, _gain) for name, own in methods.items()}
    for name in sorted(gains, key=lambda name: -gains[name].value):
        small, large = surest(methods[name])
        yield f"| `{name}` | {gains[name]} | {small} | {large} |"


def lines(study: Study) -> Iterator[str]:
    """Yield the lines of the tables, in Markdown."""
    yield from accuracy_lines(study)
    cells: list[tuple[float, float]] = []
    for slm, settings in by_slm(study.settings).items():
        methods = by_method(settings)
        yield f"\n{slm}, {len(settings)} data sets\n"
        yield from agreement_lines(settings, methods)
        routed = [each for own in methods.values() for each in own if each.llm is not None]
        if routed:
            yield ""
            yield from routing_lines(methods)
        cells += [(float(each.whole.auroc[0]), float(_gain(each.whole)[0])) for each in routed]
    if cells:
        correlation = rank_correlation(cells)
        yield f"\nSpearman's correlation of AUROC and gain, {len(cells)} cells: {correlation}"
    yield "\n| confidences of another | mean distance |"
    yield "|---|---:|"
    for between, figure in distances(study).items():
        yield f"| {between.removesuffix('s')} | {figure} |"


def main() -> None:
    """Read the results, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="of a sweep with one LLM at most")
    parser.add_argument("--out", type=Path, help="file to write, in place of stdout")
    given = parser.parse_args()
    write_or_say(
        "\n".join(lines(read_study(given.results, report_options(given.results).llms))) + "\n",
        given.out,
    )


if __name__ == "__main__":
    main()
