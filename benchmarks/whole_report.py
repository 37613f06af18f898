"""A whole report with prices, timed part by part, and the memory of all its processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from tree_memory import TreeMemory

REST = "Rest"


class WholeReport(NamedTuple):
    """The measurements of a report.

    Attributes:
        seconds: the seconds of each part of the work, in the order in which they began. "Rest" is
            what comes before the first and after the last.
        peak_gib: the peak memory of all processes together, GiB; shared pages count once.
        mib: the size of what was written, MiB.
    """

    seconds: dict[str, float]
    peak_gib: float
    mib: float


def measure_report(folder: Path, resamples: int, jobs: int) -> WholeReport:
    """Make the report of a folder of runs, figures, page, verdicts and envelope included."""
    from slmroute_plugin.analysis.report import ReportSettings, make_report
    from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
    from slmroute_plugin.llm.model_price import ModelPrice

    # LLMs come first in the alphabet, and are dearer than SLMs.
    models = sorted((path.name for path in folder.iterdir()), reverse=True)
    prices = {
        name: ModelPrice(input_usd=price, output_usd=4 * price)
        for name, price in zip(models, np.geomspace(0.05, 5, len(models)), strict=True)
    }
    settings = ReportSettings(MeasureOptions(resamples), jobs=jobs, prices=prices)
    begun: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as out, TreeMemory() as memory:
        start = time.perf_counter()
        made = make_report(folder, Path(out), settings, lambda work, at, of: _note(begun, work))
        end = time.perf_counter()
        size = sum(path.stat().st_size for paths in made.paths.values() for path in paths)
    if set(made.paths) != {"tables", "figures", "latex", "page"} or made.problems:
        raise SystemExit(f"the report is not whole: {[*made.paths]}, {made.problems[:3]}")
    edges = [*begun.values(), end]
    seconds = {
        work: after - before for work, before, after in zip(begun, edges, edges[1:], strict=False)
    }
    seconds[REST] = edges[0] - start
    return WholeReport(seconds, memory.peak_gib, size / 2**20)


def _note(begun: dict[str, float], work: str) -> None:
    """Note when a part of the work begins."""
    begun.setdefault(work, time.perf_counter())


def as_markdown(reports: Sequence[WholeReport], title: str) -> str:
    """Write the measurements as a Markdown table."""
    parts = list(reports[0].seconds)
    total = median(sum(each.seconds.values()) for each in reports)
    cells = [
        f"{total:.0f}",
        *(f"{median(each.seconds[part] for each in reports):.1f}" for part in parts),
        f"{max(each.peak_gib for each in reports):.1f}",
        f"{reports[0].mib:.0f}",
    ]
    names = ["seconds", *(f"of which {part.lower()}" for part in parts), "peak memory, GiB", "MiB"]
    return "\n".join(
        [
            f"| {title} | {' | '.join(names)} |",
            "|---|" + "---:|" * len(names),
            f"| whole report with prices | {' | '.join(cells)} |",
            "",
        ]
    )
