"""Files to import, and what an import of them says and writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slmroute_plugin.importing.faults import ImportFault
from slmroute_plugin.importing.runs import ImportedRun, ImportSettings, import_file


class Imported(NamedTuple):
    """A run that was imported, and its rows in the order of their questions."""

    run: ImportedRun
    rows: list[dict[str, Any]]


class Importer:
    """Imports files into a folder of results.

    Args:
        results: The folder.
    """

    def __init__(self, results: Path) -> None:
        self.results = results

    def __call__(self, path: Path, columns: str | Sequence[str], **settings: Any) -> Imported:
        """Import a file, as the model `m` and the task `t`."""
        given = [columns] if isinstance(columns, str) else columns
        run = import_file(path, self.results, ImportSettings("m", "t", given, **settings))
        rows = [json.loads(line) for line in run.path.read_text("utf-8").splitlines()]
        return Imported(run, sorted(rows, key=lambda row: str(row["doc"]["question"])))

    def fault(self, path: Path, columns: str | Sequence[str], **settings: Any) -> str:
        """Return what is wrong with a file, after a check that nothing was written."""
        with pytest.raises(ImportFault) as raised:
            self(path, columns, **settings)
        assert not self.results.exists()
        return str(raised.value)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path / "results")


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file of a name and a text."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8"))
        return path

    return write
