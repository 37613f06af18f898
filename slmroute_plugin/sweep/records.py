"""The records of cells, one small file each, which are the truth about a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.sweep.grid.cells import Cell

FOLDER = ".sweep"
_RECORD = "record.json"

State = Literal["done", "failed"]


@dataclass(frozen=True)
class CellRecord:
    """A record of how a cell ended.

    Attributes:
        cell: the name of the cell.
        digest: the digest of all that its results depend on (see `Cell`).
        state: "done", or "failed".
        exit_status: the exit status of lm-eval; minus the signal if it was killed; None if it
            never ran.
        attempts: the number of times that the cell was begun.
        began: the time of the beginning, in ISO 8601 with its time zone.
        seconds: the time that all attempts took.
        questions: the number of rows of samples.
        tokens: the tokens of prompts and answers, at four letters a token.
        files: the files that it put into the folder of results, relative to that.
        seeds: the seeds of lm-eval, and ours.
        tail: the last lines of the log of a failed cell.
        log: the path of the log, relative to the folder of results.
        git_commit: the commit of the checkout that it began in, "+" if changed; None outside one.
        versions: the versions of packages on the machine that ran it.
        hardware: the hardware of that machine.
    """

    cell: str
    digest: str
    state: State
    exit_status: int | None
    attempts: int
    began: str
    seconds: float
    questions: int = 0
    tokens: int = 0
    files: tuple[str, ...] = ()
    seeds: dict[str, object] = field(default_factory=dict)
    tail: tuple[str, ...] = ()
    log: str = ""
    git_commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, object] = field(default_factory=dict)

    @property
    def folders(self) -> set[str]:
        """The names of the models' folders of results that its files are in."""
        return {name.partition("/")[0] for name in self.files}


def cell_folder(results: Path, cell: str) -> Path:
    """Return the folder where a cell keeps its log, its record, and its files while it runs."""
    return results / FOLDER / cell


def write_record(results: Path, record: CellRecord) -> None:
    """Write a record to disk, in one step."""
    with written_whole(cell_folder(results, record.cell) / _RECORD) as path:
        path.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def read_record(results: Path, cell: str) -> CellRecord | None:
    """Read the record of a cell; return None if it is missing or cannot be read."""
    try:
        raw = json.loads((cell_folder(results, cell) / _RECORD).read_text(encoding="utf-8"))
        known = {field.name for field in fields(CellRecord)}
        if not isinstance(raw, dict) or raw.keys() - known:
            return None
        return CellRecord(**raw | {"files": tuple(raw["files"]), "tail": tuple(raw["tail"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def is_done(cell: Cell, record: CellRecord | None, results: Path) -> bool:
    """Tell whether a cell's results are there, and are those that its model's file now asks for."""
    return (
        record is not None
        and record.state == "done"
        and record.digest == cell.digest
        and all((results / name).is_file() for name in record.files)
    )


def records_of(results: Path, cells: Iterable[Cell]) -> dict[str, CellRecord]:
    """Read the records of all cells that have one, by the cell's name."""
    records = ((cell.name, read_record(results, cell.name)) for cell in cells)
    return {name: record for name, record in records if record is not None}
