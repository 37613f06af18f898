"""What `slmroute calibrate` prints: the threshold that was found, and what it does."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.analysis.calibration.thresholds import Calibrated, Figures, Share
from slmroute_plugin.storage.threshold_file import ThresholdFile


def say_threshold(file: ThresholdFile, found: Calibrated, path: Path) -> None:
    """Print what was asked for, what was found, and where it was written."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"Asked for: {file.goal}.")
    if file.threshold is None or found.figures is None:
        best = "undefined" if found.best != found.best else f"{found.best:.4f}"
        console.print(f"Not attainable. The best attainable value is {best}.")
    else:
        console.print(
            f"Threshold: {file.threshold:.6g}. Answers of {file.slm} with less {file.method} go to "
            f"the LLM, and {file.provenance['rows_without_confidence']} of "
            f"{file.provenance['rows']} that have none."
        )
        console.print(_figures_table(found.figures))
        if len(file.provenance["tasks"]) > 1:
            console.print(_tasks_table(file))
    console.print(f"Written: {path}")


def _figures_table(figures: Figures) -> Table:
    table = Table(
        "On the saved answers", Column("Value", justify="right"), Column("95%", justify="right")
    )
    rows: dict[str, Share | None] = {
        "share routed": figures.ratio,
        "accuracy of kept answers": figures.kept_accuracy,
        "overall accuracy": figures.accuracy,
    }
    for name, share in rows.items():
        if share is not None:
            is_known = share.value == share.value
            interval = f"{share.low:.4f} to {share.high:.4f}" if is_known else ""
            table.add_row(name, f"{share.value:.4f}" if is_known else "undefined", interval)
    if figures.cost_usd is not None:
        table.add_row("dollars for the LLM", f"{figures.cost_usd:.4f}", "")
    return table


def _tasks_table(file: ThresholdFile) -> Table:
    table = Table("Task", Column("Rows", justify="right"), Column("Share routed", justify="right"))
    for task, about in file.provenance["tasks"].items():
        table.add_row(task, str(about["rows"]), f"{about['ratio']:.4f}")
    return table
