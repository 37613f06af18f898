"""The report's figures at the size of the paper's grid, beside scikit-learn and a loop.

    python benchmarks/analysis.py                 # 12 SLMs x 15 data sets x 8 methods x 4 LLMs
    python benchmarks/analysis.py --slms 2        # a part of it
    python benchmarks/analysis.py --share 0.1     # data sets a tenth of the size

Writes made-up sample files first (not timed), then, in a process of its own each, in turn:
reading and measuring them without intervals, and with 1,000 resamples.

Then, on one core and the same arrays, ours and a plain way in turn: for every SLM, data set, method
and LLM scikit-learn's `roc_auc_score`, and a loop over 101 thresholds for overall accuracy; with
intervals, the same for every resample. Ours are the AUROC, the whole curve, and its accuracy at
these thresholds; with intervals, AUROC and area of every resample. A part of the settings is
timed, and of the plain way's resamples `--plain-resamples`, scaled to all. What both compute must
agree to 1e-9, or the script ends with an error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from own_process import measured_apart, write_or_say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slmroute_plugin.analysis.runs import Setting

logger = logging.getLogger("analysis")

# Rows of the evaluation splits: Table 1 of Chuang et al. 2025.
ROWS = {
    "gsm8k": 1319,
    "aqua": 254,
    "multiarith": 180,
    "svamp": 300,
    "math500": 500,
    "boolq": 3270,
    "commonsenseqa": 1221,
    "hellaswag": 10042,
    "openbookqa": 500,
    "piqa": 1838,
    "social_iqa": 1954,
    "truthfulqa": 164,
    "winogrande": 1267,
    "coqa": 500,
    "mmlu": 14042,
}
# Stated confidences are few different numbers; the others are all different.
METHODS = {
    "average_token_prob": 0,
    "perplexity": 0,
    "p_true": 0,
    "verbalization_1s": 10,
    "verbalization_2s": 10,
    "jaccard_degree": 300,
    "trained_probe": 0,
    "ood_probe": 0,
}


THRESHOLDS = np.linspace(0, 1, 101)


class Figures(NamedTuple):
    """Of one SLM on one data set: AUROC [methods · LLMs], and accuracy at each threshold."""

    aurocs: NDArray[np.float64]
    curves: NDArray[np.float64]


class Measured(NamedTuple):
    """Of one process."""

    reading_s: float
    measuring_s: float
    peak_gib: float

    @property
    def total_s(self) -> float:
        """Reading included."""
        return self.reading_s + self.measuring_s


class Compared(NamedTuple):
    """Seconds of ours and of the plain way for the same settings; and how far they differ."""

    ours_s: float
    plain_s: float
    largest_difference: float

    @property
    def ratio(self) -> float:
        """How many times as long the plain way takes."""
        return self.plain_s / self.ours_s


def write_runs(folder: Path, slms: int, llms: int, share: float) -> int:
    """Made-up sample files; returns the number of confidences."""
    rng = np.random.default_rng(0)
    confidences = 0
    names = [(f"slm-{n:02}", True) for n in range(slms)] + [
        (f"llm-{n}", False) for n in range(llms)
    ]
    for model, is_slm in names:
        (folder / model).mkdir(parents=True)
        for task, rows in ROWS.items():
            size = max(20, int(rows * share))
            path = folder / model / f"samples_slmroute_{task}_2026-01-01T00-00-00.000000.jsonl"
            with path.open("w", encoding="utf-8") as file:
                for row in made_up_rows(rng, task, size, is_slm):
                    file.write(json.dumps(row) + "\n")
            confidences += size * len(METHODS) * is_slm
    return confidences


def made_up_rows(
    rng: np.random.Generator, task: str, size: int, is_slm: bool
) -> Iterator[dict[str, object]]:
    """Rows as lm-eval logs them, with a question of some length."""
    correct = (rng.random(size) < (0.55 if is_slm else 0.85)).astype(float)
    columns = {}
    for method, levels in METHODS.items() if is_slm else ():
        values = (0.3 * correct + 0.7 * rng.random(size)).round(6)
        columns[method] = (values * levels).round() / levels if levels else values
    text = "What is the answer to this question, which is of a usual length? " * 4
    for doc_id in range(size):
        row: dict[str, object] = {
            "doc_id": doc_id,
            "doc": {"question": text},
            "target": "A",
            "arguments": {"gen_args_0": {"arg_0": text, "arg_1": {"until": ["\n\n"]}}},
            "resps": [["The answer is A."]],
            "filtered_resps": ["The answer is A."],
            "filter": "slm",
            "doc_hash": f"{task}-{doc_id:059}",
            "acc": correct[doc_id],
            "answer": "A",
            "scored_by": "choice",
        }
        for method, values in columns.items():
            row[f"confidence/{method}"] = values[doc_id]
            row[f"auroc/{method}"] = [values[doc_id], correct[doc_id]]
        yield row


def measure(folder: Path, resamples: int, jobs: int) -> Measured:
    """Read and measure all runs, in this process and those that it starts."""
    from slmroute_plugin.analysis.measuring import measured
    from slmroute_plugin.analysis.reading import read_study
    from slmroute_plugin.analysis.setting_tables import HowToMeasure

    begun = time.perf_counter()
    study = read_study(folder)
    read = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        measured(study.settings, HowToMeasure(resamples), jobs, Path(out), lambda done, total: None)
    ended = time.perf_counter()
    # On Linux, in KiB. Children share nothing with their parent but libraries: an upper bound.
    peak = sum(
        resource.getrusage(who).ru_maxrss * (jobs if who == resource.RUSAGE_CHILDREN else 1)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Measured(read - begun, ended - read, peak / 2**20)


def measure_apart(folder: Path, resamples: int, jobs: int) -> Measured:
    """`measure`, in a process of its own."""
    return Measured(*measured_apart(__file__, folder, resamples, jobs))


def compare(settings: Sequence[Setting]) -> Compared:
    """Without intervals."""
    begun = time.perf_counter()
    ours = [by_ranking(setting) for setting in settings]
    between = time.perf_counter()
    plain = [by_loop(setting) for setting in settings]
    ended = time.perf_counter()
    return Compared(between - begun, ended - between, _largest_difference(ours, plain))


def compare_resampled(
    settings: Sequence[Setting], resamples: int, plain_resamples: int
) -> Compared:
    """With intervals; the plain way's seconds are scaled to all resamples."""
    from slmroute_plugin.analysis.resampled_areas import (
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
            found = np.repeat([one.auroc[resample] for one in ours], llms.shape[1])
            largest = max(largest, float(np.abs(found - aurocs).max()))
    return Compared(ours_s, plain_s * resamples / plain_resamples, largest)


def by_ranking(setting: Setting) -> Figures:
    """Ours: one ranking for each method, whatever the LLM."""
    from slmroute_plugin.analysis.alignment import ranked_auroc
    from slmroute_plugin.analysis.curves import curve_of, ranking

    aurocs, curves = [], []
    for scores in setting.slm.scores.values():
        ranked = ranking(scores.confidence)
        below = np.searchsorted(ranked.value, THRESHOLDS)
        auroc = ranked_auroc(ranked, scores.correct)
        for llm in setting.llms.values():
            aurocs.append(auroc)
            curve = curve_of(ranked, scores.correct, llm.correct, llm.cost_usd)
            curves.append(curve.accuracy[below])
    return Figures(np.asarray(aurocs), np.asarray(curves))


def by_loop(setting: Setting, rows: NDArray[np.int64] | slice = slice(None)) -> Figures:
    """The plain way."""
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
    return max(
        float(np.abs(mine - theirs).max())
        for one, other in zip(ours, plain, strict=True)
        for mine, theirs in zip(one, other, strict=True)
    )


def report(given: argparse.Namespace) -> str:
    """All measurements as Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="analysis-"))
    try:
        confidences = write_runs(folder, given.slms, given.llms, given.share)
        found: dict[int, list[Measured]] = {0: [], given.resamples: []}
        for repeat in range(given.repeats):
            for resamples, runs in found.items():
                runs.append(measure_apart(folder, resamples, given.jobs))
                logger.info("run %d, %d resamples: %s", repeat + 1, resamples, runs[-1])
        compared = compare_in_turn(folder, given)
    finally:
        shutil.rmtree(folder)
    for one in (run for runs in compared.values() for run in runs):
        if not one.largest_difference <= 1e-9:
            raise SystemExit(f"the figures differ by {one.largest_difference}")
    return as_markdown(given, confidences, found, compared)


def compare_in_turn(folder: Path, given: argparse.Namespace) -> dict[int, list[Compared]]:
    """Ours and the plain way, by number of resamples."""
    from slmroute_plugin.analysis.reading import read_study

    settings = read_study(folder).settings[: given.compared]
    compare(settings[:2])
    found: dict[int, list[Compared]] = {0: [], given.resamples: []}
    for repeat in range(given.repeats):
        found[0].append(compare(settings))
        found[given.resamples].append(
            compare_resampled(settings, given.resamples, given.plain_resamples)
        )
        logger.info("run %d: %s", repeat + 1, {key: each[-1] for key, each in found.items()})
    return found


def as_markdown(
    given: argparse.Namespace,
    confidences: int,
    found: dict[int, list[Measured]],
    compared: dict[int, list[Compared]],
) -> str:
    """The table, and what it is of."""
    lines = [
        "| | seconds, reading included | of which reading | peak memory, GiB |",
        "|---|---:|---:|---:|",
    ]
    for resamples, runs in found.items():
        what = f"with {resamples} resamples" if resamples else "without intervals"
        figures = (
            median(getattr(run, name) for run in runs)
            for name in ("total_s", "reading_s", "peak_gib")
        )
        lines.append(f"| {what} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    lines += [
        "",
        f"{given.slms} SLMs x {len(ROWS)} data sets x {len(METHODS)} methods x {given.llms} LLMs, "
        f"{confidences:,} confidences; {given.jobs} processes; medians of {given.repeats} runs.",
        "",
        "| | ours, s | `roc_auc_score` and a loop, s | ratio | largest difference |",
        "|---|---:|---:|---:|---:|",
    ]
    for resamples, runs in compared.items():
        what = f"with {resamples} resamples" if resamples else "without intervals"
        ours, plain, ratio = (
            median(getattr(run, name) for run in runs) for name in ("ours_s", "plain_s", "ratio")
        )
        largest = max(run.largest_difference for run in runs)
        lines.append(f"| {what} | {ours:.2f} | {plain:.1f} | {ratio:.0f} | {largest:.1e} |")
    lines += [
        "",
        f"{given.compared} of {given.slms * len(ROWS)} pairs of SLM and data set, one core. With "
        f"resamples the plain way is timed for {given.plain_resamples} of them, and scaled.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slms", type=int, default=12)
    parser.add_argument("--llms", type=int, default=4)
    parser.add_argument("--share", type=float, default=1.0, help="of the rows of each data set")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compared", type=int, default=15, help="pairs for scikit-learn")
    parser.add_argument("--plain-resamples", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file for the table (default: stdout)")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        folder, resamples, jobs = given.measure
        sys.stdout.write(json.dumps(measure(Path(folder), int(resamples), int(jobs))))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    text = report(given)
    write_or_say(text, given.out)


if __name__ == "__main__":
    main()
