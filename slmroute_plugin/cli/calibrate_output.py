"""The output of `slmroute calibrate`: the threshold, and its effects on the saved answers."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.analysis.calibration.goals import Goal
from slmroute_plugin.analysis.calibration.plan import MOST_ROWS, POWER, plan
from slmroute_plugin.analysis.calibration.thresholds import Answers, Calibrated, Figures, Share
from slmroute_plugin.storage.threshold_file import EVERYTHING, ThresholdFile


def say_threshold(file: ThresholdFile, calibrated: Calibrated, path: Path) -> None:
    """Print the goal, the threshold with its effects or the best attainable value, and the file."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"Asked for: {file.goal}.")
    if file.threshold is None or calibrated.figures is None:
        best = "undefined" if calibrated.best != calibrated.best else f"{calibrated.best:.4f}"
        console.print(f"Not attainable. The best attainable value is {best}.")
    else:
        console.print(_rule(file, file.threshold))
        console.print(_figures_table(calibrated.figures))
        if len(file.provenance["tasks"]) > 1:
            console.print(_tasks_table(file))
    console.print(f"Written: {path}")


def say_plan(answers: Answers, goal: Goal) -> None:
    """Print how many answers a promise needs, judged by the answers at hand."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"Asked for: {goal.words}.")
    value = "Share routed" if goal.measure == "ratio" else "Accuracy of kept answers"
    table = Table(
        Column("Share kept", justify="right"),
        Column(value, justify="right"),
        Column("Answers needed", justify="right"),
    )
    for row in plan(answers.confidence, answers.slm, goal):
        needed = f"more than {MOST_ROWS}" if row.rows is None else str(row.rows)
        table.add_row(f"{row.kept:.4f}", f"{row.value:.4f}", needed)
    console.print(table)
    console.print(
        f"With as many answers to new questions, the promise can be made with a probability of "
        f"{POWER:g}, if the values above are the true ones. There are {len(answers.confidence)}."
    )


def _rule(file: ThresholdFile, threshold: float) -> str:
    """Say which answers a threshold sends to the LLM."""
    if threshold == EVERYTHING:
        return f"Threshold: inf. All answers of {file.slm} go to the LLM."
    return (
        f"Threshold: {threshold:.6g}. Answers of {file.slm} with less {file.method} go to the LLM, "
        f"and {file.provenance['rows_without_confidence']} of {file.provenance['rows']} that have "
        "none."
    )


def _figures_table(figures: Figures) -> Table:
    """Make a table of a threshold's effects, with 95% intervals."""
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
        counted = "" if figures.total_usd is not None else " alone, as others are not known"
        table.add_row(f"dollars for the LLM{counted}", f"{figures.cost_usd:.4f}", "")
    if figures.total_usd is not None:
        table.add_row("dollars for SLM, method and LLM", f"{figures.total_usd:.4f}", "")
    return table


def _tasks_table(file: ThresholdFile) -> Table:
    """Make a table of the rows of each task, and the share of them that is routed."""
    table = Table("Task", Column("Rows", justify="right"), Column("Share routed", justify="right"))
    for task, entry in file.provenance["tasks"].items():
        table.add_row(task, str(entry["rows"]), f"{entry['ratio']:.4f}")
    return table
