"""What a study found: each method's agreement and routing, and the paper's observations.

    python benchmarks/observations.py runs/study/results
    python benchmarks/observations.py runs/study/results --only svamp multiarith

Figures are means over data sets, so that each data set counts the same. Intervals are of 95%, by
1,000 resamples of the questions of each data set: they say what other questions of the same data
sets could have given, not what other data sets or models would. p-values are of the same
resamples, for the hypothesis that the mean AUROC is ½ or less, corrected by Holm's procedure over
the methods of a model. The AUROC that "would have shown" is the smallest that so many questions
show to be above ½ in four of five studies, by a test at 5% on two sides; there may be none. "Above"
is the number of the model's other methods whose mean AUROC is lower, by paired tests at 5% on two
sides with Holm's correction over all pairs. Tokens are those read and generated for the method
alone, on top of the answer; of a method that needs the prompt alone, those that it takes before
there is an answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from mean_figures import (
    CHANCE,
    RESAMPLES,
    SUREST,
    Figure,
    Measured,
    above,
    by_method,
    gain,
    mean_aurocs,
    mean_of,
    p_above_chance,
    surest,
)
from numpy.typing import NDArray
from own_process import write_or_say

from slmroute_plugin.analysis.measures.distributions import distributions_table
from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, by_slm
from slmroute_plugin.sweep.report_options import report_options

# Distances between whole distributions are dear.
DISTANCE_RESAMPLES = 100


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


def accuracy_lines(study: Study) -> Iterator[str]:
    """Yield the table of accuracies: a row for each model, a column for each data set."""
    cells: dict[str, dict[str, str]] = {}
    for setting in study.settings:
        run = setting.slm
        cells.setdefault(run.model, {})[run.task] = f"{run.correct.mean():.2f} ({len(run.correct)})"
    for run in (run for setting in study.settings for run in setting.llms.values()):
        said = f"{run.correct.mean():.2f} ({len(run.correct)}, as LLM)"
        cells.setdefault(run.model, {}).setdefault(run.task, said)
    names = sorted({name for own in cells.values() for name in own})
    yield "| accuracy (questions) | " + " | ".join(names) + " |"
    yield "|---|" + "---:|" * len(names)
    for model, own in sorted(cells.items()):
        yield f"| {model} | " + " | ".join(own.get(name, "") for name in names) + " |"


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
    p_values = p_above_chance(aurocs)
    for name in names:
        scores = [each.slm.scores[name] for each in settings if name in each.slm.scores]
        answered = np.mean(np.concatenate([own.known for own in scores]))
        yield (
            f"| `{name}` | {mean_tokens(scores)} | {answered:.0%} | {len(methods[name])} "
            f"| {aurocs[name]} | {p_values[name]:.3f} | "
            f"{_power(aurocs[name])} | {lower.get(name, '')} |"
        )


def _power(auroc: Figure) -> str:
    """Write the smallest AUROC that would have shown; "none" where not even 1 would have."""
    smallest = CHANCE + auroc.would_have_shown
    return f"{smallest:.2f}" if smallest <= 1 else "none"


def routing_lines(methods: Mapping[str, list[Measured]]) -> Iterator[str]:
    """Yield the table of what routing by an SLM's methods gains, the best first.

    Args:
        methods: the methods, on data sets where an LLM answered the same questions.
    """
    yield (
        f"| method | gain over random routing | accuracy on the surest {SUREST:.0%} "
        "| LLM's on the same |"
    )
    yield "|---|---:|---:|---:|"
    gains = {name: mean_of(own, gain) for name, own in methods.items()}
    for name in sorted(gains, key=lambda name: -gains[name].value):
        small, large = surest(methods[name])
        yield f"| `{name}` | {gains[name]} | {small} | {large} |"


def lines(study: Study) -> Iterator[str]:
    """Yield the lines of the tables, in Markdown."""
    yield from accuracy_lines(study)
    cells: list[tuple[float, float]] = []
    for slm, settings in by_slm(study.settings).items():
        methods = by_method(settings)
        yield f"\n{slm}, {len(settings)} data set{'s' if len(settings) > 1 else ''}\n"
        yield from agreement_lines(settings, methods)
        routed = {
            name: with_llm
            for name, own in methods.items()
            if (with_llm := [each for each in own if each.llm is not None])
        }
        if routed:
            yield ""
            yield from routing_lines(routed)
        each_routed = (each for own in routed.values() for each in own)
        cells += [(float(each.whole.auroc[0]), float(gain(each.whole)[0])) for each in each_routed]
    if cells:
        correlation = rank_correlation(cells)
        yield f"\nSpearman's correlation of AUROC and gain, {len(cells)} cells: {correlation}"
    if len({setting.slm.task for setting in study.settings}) == 1:
        return
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
    parser.add_argument("--only", metavar="DATASET", nargs="+", help="tables of these alone")
    parser.add_argument("--out", type=Path, help="file to write, in place of stdout")
    given = parser.parse_args()
    study = read_study(given.results, report_options(given.results).llms)
    if given.only is not None:
        there = {setting.slm.task for setting in study.settings}
        if strays := sorted({*given.only} - there):
            parser.error(f"--only {strays[0]}: no SLM with confidences answered it")
        only = [setting for setting in study.settings if setting.slm.task in given.only]
        study = replace(study, settings=only)
    write_or_say("\n".join(lines(study)) + "\n", given.out)


if __name__ == "__main__":
    main()
