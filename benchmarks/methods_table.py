"""Every method on every small model of a study: what it tells, and what it costs, in Markdown.

    python benchmarks/methods_table.py runs/study/results

AUROCs are means over the data sets on which a method has one, so that each data set counts the
same. Intervals are of 95%, by 1,000 resamples of the questions of each data set; p-values are of
the same resamples, for the hypothesis that the mean is ½ or less, corrected by Holm's procedure
over the methods of a model. Tokens are those read and generated for the method alone, on top of
the answer, and are means over all questions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from own_process import write_or_say

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Interval,
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.comparison import holm
from slmroute_plugin.analysis.study.reading import read_study
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, by_slm

RESAMPLES = 1000
CHANCE = 0.5


class MethodRow(NamedTuple):
    """A method over the data sets of an SLM.

    Attributes:
        name: its name.
        answered: the share of the questions with a confidence.
        tokens: the mean tokens beyond the answer; NaN if they are not known.
        datasets: the number of data sets on which there is an AUROC.
        auroc: the mean AUROC over these.
        interval: its interval.
        p_value: the share of resamples whose mean AUROC is chance or less, not below 1/(R + 1).
    """

    name: str
    answered: float
    tokens: float
    datasets: int
    auroc: float
    interval: Interval
    p_value: float


def method_rows(settings: Sequence[Setting]) -> Iterator[MethodRow]:
    """Yield a row for each method of an SLM that has an AUROC on some data set."""
    for name in dict.fromkeys(name for each in settings for name in each.slm.scores):
        scores = [each.slm.scores[name] for each in settings if name in each.slm.scores]
        drawn = [
            (float(whole), resampled)
            for seed, own in enumerate(scores)
            for whole, resampled in [aurocs(own, seed)]
            if not np.isnan(whole)
        ]
        if not drawn:
            continue
        resamples = np.array([resampled for _, resampled in drawn])
        with np.errstate(invalid="ignore"):  # a resample without an AUROC on any data set
            means = np.nansum(resamples, axis=0) / np.sum(~np.isnan(resamples), axis=0)
        yield MethodRow(
            name,
            float(np.mean(np.concatenate([own.known for own in scores]))),
            mean_tokens(scores),
            len(drawn),
            float(np.mean([whole for whole, _ in drawn])),
            Interval.of(means),
            (1 + float(np.sum(~(means > CHANCE)))) / (1 + RESAMPLES),
        )


def aurocs(scores: Scores, seed: int) -> tuple[float, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Compute the AUROC of a method on a data set, and those of the resamples of its questions."""
    known = scores.known
    rows = Routable(scores.confidence[known], scores.correct[known], scores.correct[known][:, None])
    counts = [
        block[known]
        for block in resampled_counts(len(known), RESAMPLES, np.random.default_rng(seed))
    ]
    return float(areas(rows).auroc[0]), resampled_areas(rows, counts).auroc


def mean_tokens(scores: Sequence[Scores]) -> float:
    """Average the tokens beyond the answer over all questions; NaN if some are not known."""
    if any(own.work is None for own in scores):
        return float("nan")
    return float(np.mean(np.concatenate([own.work.tokens for own in scores if own.work])))


def lines(study: Study) -> Iterator[str]:
    """Yield the lines of the tables: one for each SLM, surest to tell first."""
    for slm, settings in by_slm(study.settings).items():
        questions = sum(len(each.slm.correct) for each in settings)
        accuracy = np.mean([each.slm.correct.mean() for each in settings])
        yield f"\n{slm}: {questions:,} questions of {len(settings)} data sets, {accuracy:.0%} right"
        yield (
            "\n| method | tokens beyond the answer | with a confidence | data sets | AUROC | p |\n"
            "|---|---:|---:|---:|---:|---:|"
        )
        rows = sorted(method_rows(settings), key=lambda row: -row.auroc)
        for row, p_value in zip(rows, holm([row.p_value for row in rows]), strict=True):
            tokens = "" if np.isnan(row.tokens) else f"{row.tokens:,.0f}"
            yield (
                f"| `{row.name}` | {tokens} | {row.answered:.0%} | {row.datasets} "
                f"| {row.auroc:.3f} [{row.interval.low:.3f}, {row.interval.high:.3f}] "
                f"| {p_value:.3f} |"
            )


def main() -> None:
    """Read the results, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="as of `slmroute report`")
    parser.add_argument("--out", type=Path, help="file to write, in place of stdout")
    given = parser.parse_args()
    write_or_say("\n".join(lines(read_study(given.results))) + "\n", given.out)


if __name__ == "__main__":
    main()
