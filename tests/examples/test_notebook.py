"""The notebook runs from its first cell to its last, and shows what it gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from checkout import ROOT
from nbclient import NotebookClient

NOTEBOOK = ROOT / "examples" / "confidence.ipynb"
# From here on, cells read recorded runs, and give the same on every machine.
RECORDED = "read_runs"


def texts(cell: Any) -> list[str]:
    """Return what a cell's outputs say, without what is written to the terminal."""
    shown = [output for output in cell.outputs if "data" in output]
    return [str(output["data"]["text/plain"]) for output in shown]


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_it_gives(
    smollm_folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    earlier = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), earlier])))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    saved = nbformat.read(NOTEBOOK, as_version=4)
    fresh = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        fresh, timeout=500, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    )
    client.execute()  # raises CellExecutionError
    code = [cell for cell in fresh.cells if cell.cell_type == "code"]
    shown = [cell for cell in saved.cells if cell.cell_type == "code"]
    assert [bool(texts(cell)) for cell in code] == [bool(texts(cell)) for cell in shown]
    begin = next(at for at, cell in enumerate(code) if RECORDED in cell.source)
    assert [texts(cell) for cell in code[begin:]] == [texts(cell) for cell in shown[begin:]]
    # The model's own words may differ by machine, the kinds of confidence may not.
    (answer, *_) = texts(code[1])
    assert answer.startswith("(") and "'perplexity': " in answer and "'jaccard_degree': " in answer
