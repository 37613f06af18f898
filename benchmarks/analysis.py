"""The report's figures at the size of the paper's grid, beside scikit-learn and a loop.

    python benchmarks/analysis.py                 # 12 SLMs x 15 data sets x 8 methods x 4 LLMs
    python benchmarks/analysis.py --slms 2        # a part of it
    python benchmarks/analysis.py --share 0.1     # data sets a tenth of the size

Writes made-up sample files first (not timed), then, in a process of its own each, in turn:
reading and measuring them without intervals, and with 1,000 resamples. `sklearn` is
`roc_auc_score` for each method and a loop over 101 ratios for each method and LLM, on the same
arrays, for a part of the settings, scaled to all; with intervals it is the same once more per
resample. The two must agree to 1e-9, or the script ends with an error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
    """Ours and scikit-learn's seconds for the same settings, without intervals."""

    ours_s: float
    theirs_s: float
    theirs_resampled_s: float
    largest_difference: float


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
    command = [sys.executable, __file__, "--measure", str(folder), str(resamples), str(jobs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Measured(*json.loads(done.stdout))


def compare(folder: Path, settings: int) -> Compared:
    """Ours and scikit-learn's for some settings, on one core, the numbers held together."""
    from slmroute_plugin.analysis.reading import read_study
    from slmroute_plugin.analysis.setting_tables import HowToMeasure, setting_tables

    every = read_study(folder).settings
    chosen = every[:settings]
    begun = time.perf_counter()
    ours = [setting_tables(setting, HowToMeasure(0)) for setting in chosen]
    ours_s = time.perf_counter() - begun
    begun = time.perf_counter()
    theirs = [by_loop(setting) for setting in chosen]
    theirs_s = time.perf_counter() - begun
    largest = 0.0
    for one, (aurocs, curves) in zip(ours, theirs, strict=True):
        largest = max(largest, float(np.abs(one.alignment["auroc"] - aurocs).max()))
        largest = max(largest, float(np.abs(one.curves["accuracy"] - curves).max()))
    return Compared(ours_s, theirs_s, 1001 * theirs_s, largest)


def by_loop(setting: Setting) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC by scikit-learn, and accuracy at 101 ratios by a loop; ties in expectation."""
    from sklearn.metrics import roc_auc_score

    aurocs, curves = [], []
    for scores in setting.slm.scores.values():
        aurocs.append(roc_auc_score(scores.correct, scores.confidence))
        for llm in setting.llms.values():
            for ratio in np.linspace(0, 1, 101):
                curves.append(accuracy_at(ratio, scores.confidence, scores.correct, llm.correct))
    return np.asarray(aurocs), np.asarray(curves)


def accuracy_at(
    ratio: float,
    confidence: NDArray[np.float64],
    slm: NDArray[np.bool_],
    llm: NDArray[np.bool_],
) -> float:
    """Expected accuracy when the least confident share goes to the LLM."""
    n = len(slm)
    count = ratio * n
    if count >= n:
        return float(llm.mean())
    line = np.partition(confidence, int(count))[int(count)]
    below, tied = confidence < line, confidence == line
    part = (count - below.sum()) / tied.sum()
    gain = llm.astype(float) - slm
    return float((slm.sum() + gain[below].sum() + part * gain[tied].sum()) / n)


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
        compared = compare(folder, given.compared)
    finally:
        shutil.rmtree(folder)
    if compared.largest_difference > 1e-9:
        raise SystemExit(f"the figures differ by {compared.largest_difference}")
    return as_markdown(given, confidences, found, compared)


def as_markdown(
    given: argparse.Namespace,
    confidences: int,
    found: dict[int, list[Measured]],
    compared: Compared,
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
    return "\n".join([
        *lines,
        "",
        f"{given.slms} SLMs x {len(ROWS)} data sets x {len(METHODS)} methods x {given.llms} LLMs, "
        f"{confidences:,} confidences; {given.jobs} processes; medians of {given.repeats} runs.",
        "",
        f"scikit-learn and a loop over 101 ratios took {compared.theirs_s / compared.ours_s:.0f} "
        f"times as long as all tables without intervals ({given.compared} settings, one core); "
        f"largest difference {compared.largest_difference:.1e}.",
        "",
    ])  # fmt: skip


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
    parser.add_argument("--compared", type=int, default=15, help="settings for scikit-learn")
    parser.add_argument("--out", type=Path, help="file for the table (default: stdout)")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        folder, resamples, jobs = given.measure
        sys.stdout.write(json.dumps(measure(Path(folder), int(resamples), int(jobs))))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    text = report(given)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
