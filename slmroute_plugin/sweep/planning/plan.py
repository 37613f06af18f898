"""What a sweep has to do: which cells there are, which are done, and what the others will cost."""

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
        cell: what to run.
        record: how it ended last; None if it never did.
        is_done: whether its results are there.
        estimate: what it will cost, or would cost anew.
    """

    cell: Cell
    record: CellRecord | None
    is_done: bool
    estimate: Estimate

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.is_done:
            return "done"
        if self.record is None:
            return "to do"
        if self.record.digest != self.cell.digest:
            return "changed"
        return "failed before" if self.record.state == "failed" else "files are gone"


@dataclass(frozen=True)
class Plan:
    """All cells of a grid, in its order."""

    cells: Sequence[Planned]

    @property
    def to_do(self) -> list[Planned]:
        """Those whose results are not there."""
        return [one for one in self.cells if not one.is_done]

    @property
    def left(self) -> Estimate:
        """What they will cost together."""
        return Estimate.total(one.estimate for one in self.to_do)

    @property
    def unknown(self) -> list[str]:
        """Models of which dollars or hours are not known."""
        names = {
            one.cell.model: None
            for one in self.to_do
            if one.estimate.usd is None or one.estimate.gpu_hours is None
        }
        return list(names)

    def cell(self, number: int) -> Planned:
        """A cell by its number.

        Raises:
            GridError: there is none of that number.
        """
        if not 0 <= number < len(self.cells):
            raise GridError(f"there is no cell {number}: they are 0 to {len(self.cells) - 1}")
        return self.cells[number]


def make_plan(grid: Grid, path: Path) -> Plan:
    """The plan of a grid, from its file and what is among its results.

    Raises:
        GridError: the grid cannot be run; the text names what to change.
    """
    cells = cells_of(grid, path)
    records = records_of(grid.results, cells)
    estimator = Estimator(measured_work(grid.results), cells, records)
    return Plan(
        [
            Planned(
                cell,
                records.get(cell.name),
                is_done(cell, records.get(cell.name), grid.results),
                estimator.of(cell),
            )
            for cell in cells
        ]
    )


def cell_number(plan: Plan, name: str) -> int:
    """A cell's number from what the user calls it: its number or its name.

    Raises:
        GridError: there is none; the text offers the nearest.
    """
    if name.isdigit():
        return plan.cell(int(name)).cell.number
    numbers = {one.cell.name: one.cell.number for one in plan.cells}
    if name not in numbers:
        raise GridError(f"there is no cell {name!r}. {did_you_mean(name, numbers)}")
    return numbers[name]
