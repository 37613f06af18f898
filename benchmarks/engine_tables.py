"""The table and the plot of what `engine.py` measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from engine import Measured

TIMES = {"seconds": "seconds", "cpu": "CPU seconds"}


def table(measured: Iterable[Measured], by: str) -> str:
    """Write the medians of each way on each workload as a Markdown table.

    Args:
        measured: the measurements.
        by: the time that ratios are of: "seconds" or "cpu".
    """
    cells: dict[tuple[str, str], list[Measured]] = {}
    for run in measured:
        cells.setdefault((run.workload, run.way), []).append(run)
    columns = (
        "workload", "way", "questions", "batch", "seconds", "CPU seconds", "÷ generate",
        "tokens forwarded", "floor", "tokens ÷ floor", "forward passes", "peak, MiB", "runs",
    )  # fmt: skip
    lines = [columns, ["---", "---", *["---:"] * (len(columns) - 2)]]
    for (workload, way), runs in cells.items():
        last = runs[-1]
        base = cells.get((workload, "generate"))
        peaks = [run.peak for run in runs if run.peak is not None]
        lines.append(
            [
                workload,
                way,
                str(last.questions),
                str(last.batch),
                f"{median(run.seconds for run in runs):.1f}",
                f"{median(run.cpu for run in runs):.1f}",
                f"{_time(runs, by) / _time(base, by):.2f}" if base else "",
                f"{last.tokens:,}" if last.tokens is not None else "",
                f"{last.floor:,}" if last.floor else "",
                f"{last.tokens / last.floor:.3f}" if last.tokens and last.floor else "",
                f"{last.passes:,}" if last.passes is not None else "",
                f"{median(peaks):,.0f}" if peaks else "undefined",
                str(len(runs)),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _time(runs: Sequence[Measured], by: str) -> float:
    """Take the median of the time that `by` names."""
    return median(getattr(run, by) for run in runs)


def plot(measured: Sequence[Measured], path: Path, by: str) -> None:
    """Draw time and peak memory of each way, in a pair of panels for each workload."""
    import matplotlib.pyplot as plt

    workloads = list(dict.fromkeys(run.workload for run in measured))
    figure, axes = plt.subplots(2, len(workloads), figsize=(5 * len(workloads), 5), squeeze=False)
    for column, workload in enumerate(workloads):
        runs = [run for run in measured if run.workload == workload]
        ways = list(dict.fromkeys(run.way for run in runs))
        for row, (name, label) in enumerate(((by, TIMES[by]), ("peak", "peak memory, MiB"))):
            panel = axes[row][column]
            for number, way in enumerate(ways):
                column_of_way = [getattr(run, name) for run in runs if run.way == way]
                if values := [value for value in column_of_way if value is not None]:
                    panel.barh(number, median(values), color="0.75")
                    panel.plot(values, [number] * len(values), "k.", markersize=4)
            panel.set_yticks(range(len(ways)), ways)
            panel.invert_yaxis()
            panel.set_xlabel(label)
            panel.set_title(workload if row == 0 else "")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
