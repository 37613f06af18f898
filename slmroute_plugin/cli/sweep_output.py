"""The output of `slmroute sweep`: the plan of a sweep, and its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.sweep.after_cells import Step
from slmroute_plugin.sweep.planning.estimate import Estimate
from slmroute_plugin.sweep.planning.plan import Plan, Planned
from slmroute_plugin.sweep.records import CellRecord

_MOST_ROWS = 300


def say_plan(console: Console, plan: Plan, grid: Path) -> None:
    """Print the plan: a row for each cell, or for each model if there are very many cells."""
    console.print(_cells(plan) if len(plan.cells) <= _MOST_ROWS else _models(plan))
    to_do, left = len(plan.to_do), plan.left
    console.print(
        f"{grid}: {len(plan.cells)} cells, {len(plan.cells) - to_do} done, {to_do} to do: roughly "
        f"{_count(left.questions)} questions, {_count(left.tokens)} tokens, "
        f"{_hours(left.gpu_hours)} GPU-hours, {_dollars(left.usd)}",
        soft_wrap=True,
    )
    if plan.unknown:
        console.print(
            f"Not in these figures, for want of a size or a price: {', '.join(plan.unknown)}",
            soft_wrap=True,
        )


def say_end(
    console: Console,
    failed: Sequence[CellRecord],
    steps: Iterable[Step],
    results: Path,
    manifest: Path,
) -> None:
    """Print all that failed, each with the last lines of its log, and the path of the manifest."""
    for record in failed:
        _say_log(console, f"Failed: {record.cell}", record.tail, results, record.log)
    for step in steps:
        if step.exit_status:
            title = f"Not all well: slmroute {step.name} (exit status {step.exit_status})"
            _say_log(console, title, step.tail, results, step.log)
    console.print(f"Manifest: {manifest}", soft_wrap=True)


def _say_log(console: Console, title: str, tail: Sequence[str], results: Path, log: str) -> None:
    """Print a title, the path of a log, and the log's last lines."""
    where = f" ({results / log})" if log else ""
    console.print(f"{title}{where}", soft_wrap=True)
    for line in tail:
        console.print(f"    {line}", soft_wrap=True)


def _figures() -> list[Column]:
    """Make the columns for an estimate."""
    return [
        Column(name, justify="right", no_wrap=True)
        for name in ("Questions", "Tokens", "GPU-hours", "Dollars")
    ]


def _cells(plan: Plan) -> Table:
    """Make a table with a row for each cell."""
    table = Table(
        Column("No.", justify="right", no_wrap=True),
        Column("Cell", overflow="fold"),
        Column("State", no_wrap=True),
        *_figures(),
    )
    for planned in plan.cells:
        table.add_row(
            str(planned.cell.number), planned.cell.name, planned.state, *_in_words(planned.estimate)
        )
    return table


def _models(plan: Plan) -> Table:
    """Make a table with a row for each model."""
    table = Table(
        Column("Model", overflow="fold"),
        Column("Cells", justify="right", no_wrap=True),
        Column("Done", justify="right", no_wrap=True),
        *_figures(),
    )
    by_model: dict[str, list[Planned]] = {}
    for planned in plan.cells:
        by_model.setdefault(planned.cell.model, []).append(planned)
    for model, cells in by_model.items():
        done = str(sum(planned.is_done for planned in cells))
        left = Estimate.total(planned.estimate for planned in cells if not planned.is_done)
        table.add_row(model, str(len(cells)), done, *_in_words(left))
    return table


def _in_words(estimate: Estimate) -> tuple[str, str, str, str]:
    """Print an estimate, cell by cell of a table."""
    return (
        _count(estimate.questions),
        _count(estimate.tokens),
        _hours(estimate.gpu_hours),
        _dollars(estimate.usd),
    )


def _count(number: float | None) -> str:
    """Print a number with a letter for thousands, millions or billions; "?" if it is not known."""
    if number is None:
        return "?"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 10 * size:
            return f"{number / size:,.0f}{letter}"
    return f"{number:,.0f}"


def _hours(hours: float | None) -> str:
    """Print hours, with two digits below ten; "?" if they are not known."""
    return "?" if hours is None else f"{hours:.2f}" if hours < 10 else f"{hours:,.0f}"


def _dollars(usd: float | None) -> str:
    """Print dollars, with cents; "$?" if they are not known."""
    return "$?" if usd is None else f"${usd:,.2f}"
