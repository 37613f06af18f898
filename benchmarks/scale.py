"""The growth of bookkeeping with the paper's grid, at 1, 10 and 100 times its size.

    python benchmarks/scale.py                          # minutes, on one core
    python benchmarks/scale.py --factors 1 10 --report-factors 1 10

No model is run: configs, records and samples are made up, and every measurement is taken in a
process of its own. Two things grow, one at a time:

- models, for planning and the manifest: 12 small models and 4 LLMs are 76 cells of
  examples/paper/grid.yaml; 100 times as many are 7,600, half of them done;
- questions, for the report: `--slms` small models and an LLM, on the paper's fifteen data sets
  with `--share` of their rows each, times the factor.

The report's table of distances compares every two small models, so in their number it is quadratic
by definition; that is not measured here.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml
from made_up_runs import write_runs
from own_process import measured_apart, write_or_say

logger = logging.getLogger("scale")

ROOT = Path(__file__).resolve().parent.parent
PAPER = ROOT / "examples" / "paper"


class Planned(NamedTuple):
    """The measurements of planning, and of writing the manifest."""

    cells: int
    planning_s: float
    manifest_s: float
    manifest_mib: float
    peak_mib: float


class Reported(NamedTuple):
    """The measurements of a report."""

    rows: int
    seconds: float
    peak_mib: float


def write_grid(folder: Path, factor: int) -> Path:
    """Write a grid of so many times the paper's models; return its file."""
    paper = yaml.safe_load((PAPER / "grid.yaml").read_text(encoding="utf-8"))
    grid = {key: value for key, value in paper.items() if key not in ("slms", "llms")}
    for role in ("slms", "llms"):
        grid[role] = []
        for entry in paper[role]:
            about = entry if isinstance(entry, dict) else {"config": entry}
            config = yaml.safe_load((PAPER / about["config"]).read_text(encoding="utf-8"))
            config["include_path"] = str(ROOT / "tasks")
            text = yaml.safe_dump(config)
            for number in range(factor):
                name = f"{number}-{about['config']}"
                (folder / name).write_text(text, encoding="utf-8")
                grid[role].append(about | {"config": name})
    grid["results"] = str(folder / "results")
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(grid), encoding="utf-8")
    return path


def write_records(path: Path) -> None:
    """Write a record of every second cell as done, with a file for each of its tasks."""
    from slmroute_plugin.sweep.environment import hardware, versions
    from slmroute_plugin.sweep.grid.cells import cells_of
    from slmroute_plugin.sweep.grid.grid_file import load_grid
    from slmroute_plugin.sweep.records import CellRecord, write_record

    grid = load_grid(path)
    machine, packages = hardware(), versions()
    for cell in cells_of(grid, path)[::2]:
        names = [f"{cell.model}/samples_{t}_2026-01-01T00-00-00.jsonl" for t in cell.tasks]
        for name in names:
            (grid.results / name).parent.mkdir(parents=True, exist_ok=True)
            (grid.results / name).touch()
        record = CellRecord(
            cell=cell.name, digest=cell.digest, state="done", exit_status=0, attempts=1,
            began="2026-01-01T00:00:00+00:00", seconds=600.0, questions=1000, tokens=100_000,
            files=tuple(names), versions=packages, hardware=machine,
        )  # fmt: skip
        write_record(grid.results, record)


def plan(path: Path) -> Planned:
    """Plan a grid and write its manifest, in this process."""
    from slmroute_plugin.sweep.grid.grid_file import load_grid
    from slmroute_plugin.sweep.manifest import Manifest
    from slmroute_plugin.sweep.planning.plan import make_plan

    begun = time.perf_counter()
    grid = load_grid(path)
    made = make_plan(grid, path)
    planned = time.perf_counter()
    manifest = Manifest(grid, path, [cell.cell for cell in made.cells])
    manifest.write()
    ended = time.perf_counter()
    size = manifest.path.stat().st_size / 2**20
    return Planned(len(made.cells), planned - begun, ended - planned, size, _peak_mib())


def report(folder: Path, resamples: int) -> Reported:
    """Make the tables of a report, in this process alone."""
    from slmroute_plugin.analysis.report import ReportSettings, make_report
    from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions

    rows = sum(
        path.read_bytes().count(b"\n") for path in (folder / "results").rglob("samples_*.jsonl")
    )
    settings = ReportSettings(MeasureOptions(resamples), jobs=1, figures=False, page=False)
    begun = time.perf_counter()
    make_report(folder / "results", folder / "report", settings, lambda work, done, total: None)
    return Reported(rows, time.perf_counter() - begun, _peak_mib())


def _peak_mib() -> float:
    """Read the peak of resident memory, MiB."""
    # Linux counts it in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_plans(factors: Iterable[int]) -> list[tuple[int, Planned]]:
    """Measure planning at each size."""
    plans = []
    for factor in factors:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            path = write_grid(Path(folder), factor)
            write_records(path)
            plans.append((factor, Planned(*measured_apart(__file__, "plan", path))))
        logger.info("%d times the models: %s", factor, plans[-1][1])
    return plans


def measure_reports(given: argparse.Namespace) -> list[tuple[int, Reported]]:
    """Measure a report at each size."""
    reports = []
    for factor in given.report_factors:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            write_runs(Path(folder) / "results", given.slms, 1, given.share * factor)
            measured = measured_apart(__file__, "report", folder, given.resamples)
            reports.append((factor, Reported(*measured)))
        logger.info("%d times the questions: %s", factor, reports[-1][1])
    return reports


def as_markdown(
    plans: list[tuple[int, Planned]], reports: list[tuple[int, Reported]], given: argparse.Namespace
) -> str:
    """Write both tables, and say what they are of."""
    lines = [
        "| models | cells | planning, s | ms per cell | manifest, MiB | writing, s | peak, MiB |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for factor, planned in plans:
        lines.append(
            f"| {factor}× | {planned.cells:,} | {planned.planning_s:.1f} | "
            f"{1000 * planned.planning_s / planned.cells:.2f} | {planned.manifest_mib:.2f} | "
            f"{planned.manifest_s:.2f} | {planned.peak_mib:,.0f} |"
        )
    lines += [
        "",
        "| questions | rows of samples | report, s | ms per row | peak, MiB |",
        "|---:|---:|---:|---:|---:|",
    ]
    for factor, reported in reports:
        lines.append(
            f"| {factor}× | {reported.rows:,} | {reported.seconds:.1f} | "
            f"{1000 * reported.seconds / max(reported.rows, 1):.3f} | {reported.peak_mib:,.0f} |"
        )
    lines += [
        "",
        f"Reports of {given.slms} small models and an LLM, {given.share:g} of the rows times the "
        f"factor (at least 20 a data set), {given.resamples} resamples, tables alone; one process.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--factors", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--report-factors", type=int, nargs="*", default=[1, 10, 100])
    parser.add_argument("--slms", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.01, help="of the rows, times the factor")
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--out", type=Path, help="file for the tables (default: stdout)")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        work, path, *more = given.measure
        figures = plan(Path(path)) if work == "plan" else report(Path(path), int(more[0]))
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    text = as_markdown(measure_plans(given.factors), measure_reports(given), given)
    write_or_say(text, given.out)


if __name__ == "__main__":
    main()
