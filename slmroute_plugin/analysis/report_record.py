"""A report as one whole: put in place at the end, and left alone where nothing has changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.analysis.study.runs import Problem
from slmroute_plugin.analysis.tables.kept_tables import FOLDER
from slmroute_plugin.storage.atomic_write import written_whole

_UNFINISHED = ".unfinished"
_RECORD = "report.json"


class Record(NamedTuple):
    """A record of a report: what it was made from, what it said, and its files.

    Attributes:
        key: the digest of all that the report depends on.
        problems: the problems, as in `Study`.
        notes: the notes, as in `Study`.
        files: the names of the files below the report's folder, by part.
        states: the size and time of change of each file when it was put in place.
        verdicts: the lines on whether to route, as in `Report`.
    """

    key: str
    problems: Sequence[Problem]
    notes: Sequence[str]
    files: Mapping[str, Sequence[str]]
    states: Mapping[str, Sequence[int]]
    verdicts: Sequence[str] = ()

    def stands(self, out: Path, key: str) -> bool:
        """Tell whether a new report would be the same, and all files are there as they were."""
        return self.key == key and all(
            file_state(out / name) == list(state) for name, state in self.states.items()
        )


def read_record(out: Path) -> Record | None:
    """Read the record of the report in a folder; return None if it is missing or cannot be read."""
    try:
        raw: Any = json.loads((out / FOLDER / _RECORD).read_text(encoding="utf-8"))
        problems = [Problem(*problem) for problem in raw["problems"]]
        files, states = dict(raw["files"]), dict(raw["states"])
        return Record(raw["key"], problems, raw["notes"], files, states, raw["verdicts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def file_state(path: Path) -> list[int]:
    """Read the size of a file in bytes and its time of change in ns; empty if there is no file."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns]


@contextmanager
def unfinished_report(out: Path) -> Iterator[Path]:
    """Make a folder to write a report to, on the disk of `out`; it is gone after the block."""
    folder = out / _UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)  # a report that was killed may have left it
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(
    new: Path,
    out: Path,
    key: str,
    problems: Sequence[Problem],
    notes: Sequence[str],
    files: Mapping[str, Sequence[str]],
    verdicts: Sequence[str] = (),
) -> None:
    """Move a report's files from `new` to `out`, and delete the other files of the last report.

    If this is cut short, it leaves a record that does not stand and names the files of both
    reports.
    """
    names = [name for part in files.values() for name in part]
    last = read_record(out)
    old = [name for name in (last.states if last else ()) if name not in names]
    either = dict.fromkeys([*old, *names], (0, 0))
    _write(out, Record("", (), (), {}, either))
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).replace(out / name)
    for name in old:
        path = out / name
        if path.resolve().is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
    states = {name: file_state(out / name) for name in names}
    _write(out, Record(key, problems, notes, files, states, verdicts))


def _write(out: Path, record: Record) -> None:
    """Write a record into the folder of a report."""
    with written_whole(out / FOLDER / _RECORD) as unfinished:
        unfinished.write_text(json.dumps(record._asdict(), indent=1), encoding="utf-8")
