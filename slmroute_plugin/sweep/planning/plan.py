"""The plan of a sweep: its cells, those that are done, and the cost of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import Grid, GridError
from slmroute_plugin.sweep.planning.estimate import Estimate, Estimator
from slmroute_plugin.sweep.planning.workload import measured_work
from slmroute_plugin.sweep.records import CellRecord, is_done, records_of


@dataclass(frozen=True)
class Planned:
    """A cell of the plan.

    Attributes:
        cell: the cell to run.
        record: the record of how it ended last; None if it never did.
        is_done: whether its results are there.
        estimate: the estimated cost to run it, or to run it anew.
    """

    cell: Cell
    record: CellRecord | None
    is_done: bool
    estimate: Estimate

    @property
    def state(self) -> str:
        """The state of the cell, in a word or two."""
        if self.is_done:
            return "done"
        if self.record is None:
            return "to do"
        if self.record.digest != self.cell.digest:
            return "changed"
        return "failed before" if self.record.state == "failed" else "files are gone"


@dataclass(frozen=True)
class Plan:
    """The plan of a grid: all of its cells, in its order."""

    cells: Sequence[Planned]

    @property
    def to_do(self) -> list[Planned]:
        """The cells whose results are not there."""
        return [planned for planned in self.cells if not planned.is_done]

    @property
    def left(self) -> Estimate:
        """The estimated cost of the cells whose results are not there."""
        return Estimate.total(planned.estimate for planned in self.to_do)

    @property
    def unknown(self) -> list[str]:
        """The models whose dollars or GPU-hours are not known."""
        names = {
            planned.cell.model: None
            for planned in self.to_do
            if planned.estimate.usd is None or planned.estimate.gpu_hours is None
        }
        return list(names)


def make_plan(grid: Grid, path: Path) -> Plan:
    """Plan a grid, from its file and its results so far.

    Raises:
        GridError: the grid cannot be run; the text names what to change.
    """
    cells = cells_of(grid, path)
    records = records_of(grid.results, cells)
    estimator = Estimator(measured_work(grid.results), cells, records, grid.prices)
    return Plan(
        [
            Planned(
                cell,
                records.get(cell.name),
                is_done(cell, records.get(cell.name), grid.results),
                estimator.estimate(cell),
            )
            for cell in cells
        ]
    )


def cell_number(plan: Plan, name: str) -> int:
    """Find a cell's number, given as the number itself or as the cell's name.

    Raises:
        GridError: there is no such cell; for a name, the text offers the nearest.
    """
    numbers = {planned.cell.name: planned.cell.number for planned in plan.cells}
    if name.isdecimal():
        if int(name) >= len(numbers):
            raise GridError(f"there is no cell {int(name)}: they are 0 to {len(numbers) - 1}")
        return int(name)
    if name not in numbers:
        raise GridError(f"there is no cell {name!r}. {did_you_mean(name, numbers)}")
    return numbers[name]
