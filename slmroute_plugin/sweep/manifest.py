"""The file `manifest.json`: all that is known of a sweep, beside its results."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.sweep.after_cells import Step
from slmroute_plugin.sweep.environment import git_commit, hardware, versions
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.grid.grid_file import Grid
from slmroute_plugin.sweep.records import CellRecord, records_of
from slmroute_plugin.sweep.report_options import MANIFEST, ReportOptions

_SECONDS_BETWEEN = 30


class Manifest:
    """The manifest of a sweep, written from time to time from the records of its cells.

    The records are the truth, each in a file of its own. So the manifest need not be written
    after every cell, which for many cells would take longer and longer. The records are read anew
    whenever it is written, as other jobs of an array may have ended cells meanwhile.

    Args:
        grid: the grid.
        path: the grid's file.
        cells: all cells of the grid.
    """

    def __init__(self, grid: Grid, path: Path, cells: Sequence[Cell]) -> None:
        self.path = grid.results / MANIFEST
        self._grid = grid
        self._cells = cells
        self._steps: list[Step] = []
        self._written = 0.0
        self._about = {
            "grid": str(path),
            "git_commit": git_commit(),
            "versions": versions(),
            "hardware": hardware(),
        }

    def cell_ended(self) -> None:
        """Take note that a cell has ended and its record is on disk: write, but not too often."""
        if time.monotonic() - self._written > _SECONDS_BETWEEN:
            self.write()

    def add_step(self, step: Step) -> None:
        """Add a step that has ended."""
        self._steps.append(step)

    def write(self) -> None:
        """Write the manifest to disk, in one step."""
        records = records_of(self.path.parent, self._cells)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        content = {
            "written": now,
            **self._about,
            "report": self._report(records).model_dump(exclude_none=True),
            "cells": [_entry(cell, records.get(cell.name)) for cell in self._cells],
            "steps": [asdict(step) for step in self._steps],
        }
        with written_whole(self.path) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._written = time.monotonic()

    def _report(self, records: Mapping[str, CellRecord]) -> ReportOptions:
        """Gather what the report is to know of the grid, by the folders that the cells wrote."""
        routed_to = {
            folder: None
            for cell in self._cells
            if cell.model in self._grid.slms_as_llms and cell.name in records
            for folder in sorted(records[cell.name].folders)
        }
        return ReportOptions(llms=list(routed_to), prices=dict(self._grid.prices))


def _entry(cell: Cell, record: CellRecord | None) -> dict[str, Any]:
    """Make the manifest's entry of a cell."""
    about = {
        "number": cell.number,
        "cell": cell.name,
        "model": cell.model,
        "role": cell.role,
        "tasks": cell.tasks,
    }
    if record is None or record.digest != cell.digest:
        return about | {"state": "to do"}
    return about | asdict(record)
