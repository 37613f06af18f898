"""The report's figures at the size of the paper's grid, beside scikit-learn and a loop.

    python benchmarks/analysis.py                 # 12 SLMs x 15 data sets x 8 methods x 4 LLMs
    python benchmarks/analysis.py --slms 2        # a part of it
    python benchmarks/analysis.py --share 0.1     # data sets a tenth of the size

The script writes made-up sample files first (not timed). Then it reads and measures them without
intervals, and with 1,000 resamples, in turn and in a process of its own each. In a further process
it makes the whole report with 1,000 resamples and made-up prices: tables, verdicts over total cost,
envelope, figures and page, timed part by part. `--whole-only` leaves out all else.

Then, on one core and the same arrays, ours and a plain way answer in turn: for every SLM, data set,
method and LLM scikit-learn's `roc_auc_score`, and a loop over 101 thresholds for overall accuracy;
with intervals, the same for every resample. Ours are the AUROC, the whole curve, and its accuracy
at these thresholds; with intervals, AUROC and area of every resample. A part of the settings is
timed, and of the plain way's resamples `--plain-resamples`, scaled to all. The figures of both must
agree to 1e-9, or the script ends with an error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from made_up_runs import METHODS, ROWS, write_runs
from own_process import measured_apart, write_or_say
from plain_analysis import Compared, compare, compare_resampled
from whole_report import WholeReport, measure_report
from whole_report import as_markdown as whole_table

logger = logging.getLogger("analysis")


class Measured(NamedTuple):
    """The measurements of one process.

    Attributes:
        reading_s: the seconds of reading.
        measuring_s: the seconds of measuring.
        peak_gib: the peak memory of the process and its children, GiB, at most.
    """

    reading_s: float
    measuring_s: float
    peak_gib: float

    @property
    def total_s(self) -> float:
        """The seconds of reading and measuring together."""
        return self.reading_s + self.measuring_s


def measure(folder: Path, resamples: int, jobs: int) -> Measured:
    """Read and measure all runs, in this process and those that it starts."""
    from slmroute_plugin.analysis.study.reading import read_study
    from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
    from slmroute_plugin.analysis.tables.study_tables import measured
    from slmroute_plugin.analysis.workers import workers

    begun = time.perf_counter()
    study = read_study(folder)
    read = time.perf_counter()
    with tempfile.TemporaryDirectory() as out, workers(jobs) as pool:
        measured(
            study.settings, MeasureOptions(resamples), pool, Path(out), lambda done, total: None
        )
    ended = time.perf_counter()
    # On Linux, in KiB. Children share nothing with their parent but libraries: an upper bound.
    peak = sum(
        resource.getrusage(who).ru_maxrss * (jobs if who == resource.RUSAGE_CHILDREN else 1)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Measured(read - begun, ended - read, peak / 2**20)


def measure_apart(folder: Path, resamples: int, jobs: int) -> Measured:
    """Run `measure` in a process of its own."""
    return Measured(*measured_apart(__file__, "tables", folder, resamples, jobs))


def report_apart(folder: Path, resamples: int, jobs: int) -> WholeReport:
    """Make a whole report in a process of its own."""
    return WholeReport(*measured_apart(__file__, "report", folder, resamples, jobs))


def report(given: argparse.Namespace) -> str:
    """Measure everything, and write it as Markdown."""
    with tempfile.TemporaryDirectory(prefix="analysis-") as name:
        folder = Path(name)
        confidences = write_runs(folder, given.slms, given.llms, given.share)
        measured: dict[int, list[Measured]] = {0: [], given.resamples: []}
        whole: list[WholeReport] = []
        for repeat in range(given.repeats):
            whole.append(report_apart(folder, given.resamples, given.jobs))
            logger.info("run %d: %s", repeat + 1, whole[-1])
            for resamples, runs in measured.items() if not given.whole_only else ():
                runs.append(measure_apart(folder, resamples, given.jobs))
                logger.info("run %d, %d resamples: %s", repeat + 1, resamples, runs[-1])
        table = whole_table(whole, f"{given.resamples} resamples")
        if given.whole_only:
            return table
        compared = compare_in_turn(folder, given)
    for run in (run for runs in compared.values() for run in runs):
        if not run.largest_difference <= 1e-9:
            raise SystemExit(f"the figures differ by {run.largest_difference}")
    return table + "\n" + as_markdown(given, confidences, measured, compared)


def compare_in_turn(folder: Path, given: argparse.Namespace) -> dict[int, list[Compared]]:
    """Time ours and the plain way in turn; return the runs by number of resamples."""
    from slmroute_plugin.analysis.study.reading import read_study

    settings = read_study(folder).settings[: given.compared]
    compare(settings[:2])
    compared: dict[int, list[Compared]] = {0: [], given.resamples: []}
    for repeat in range(given.repeats):
        compared[0].append(compare(settings))
        compared[given.resamples].append(
            compare_resampled(settings, given.resamples, given.plain_resamples)
        )
        logger.info("run %d: %s", repeat + 1, {key: runs[-1] for key, runs in compared.items()})
    return compared


def as_markdown(
    given: argparse.Namespace,
    confidences: int,
    measured: dict[int, list[Measured]],
    compared: dict[int, list[Compared]],
) -> str:
    """Write the measurements as Markdown tables, and say what they are of."""
    lines = [
        "| | seconds, reading included | of which reading | peak memory, GiB |",
        "|---|---:|---:|---:|",
    ]
    for resamples, runs in measured.items():
        title = f"with {resamples} resamples" if resamples else "without intervals"
        figures = (
            median(getattr(run, name) for run in runs)
            for name in ("total_s", "reading_s", "peak_gib")
        )
        lines.append(f"| {title} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")
    lines += [
        "",
        f"{given.slms} SLMs x {len(ROWS)} data sets x {len(METHODS)} methods x {given.llms} LLMs, "
        f"{confidences:,} confidences; {given.jobs} processes; medians of {given.repeats} runs.",
        "",
        "| | ours, s | `roc_auc_score` and a loop, s | ratio | largest difference |",
        "|---|---:|---:|---:|---:|",
    ]
    for resamples, runs in compared.items():
        title = f"with {resamples} resamples" if resamples else "without intervals"
        ours, plain, ratio = (
            median(getattr(run, name) for run in runs) for name in ("ours_s", "plain_s", "ratio")
        )
        largest = max(run.largest_difference for run in runs)
        lines.append(f"| {title} | {ours:.2f} | {plain:.1f} | {ratio:.0f} | {largest:.1e} |")
    lines += [
        "",
        f"{given.compared} of {given.slms * len(ROWS)} pairs of SLM and data set, one core. With "
        f"resamples the plain way is timed for {given.plain_resamples} of them, and scaled.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, and write the tables."""
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
    parser.add_argument("--whole-only", action="store_true", help="time the whole report alone")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        kind, folder, resamples, jobs = given.measure
        work = measure_report if kind == "report" else measure
        sys.stdout.write(json.dumps(work(Path(folder), int(resamples), int(jobs))))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write_or_say(report(given), given.out)


if __name__ == "__main__":
    main()
