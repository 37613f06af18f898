"""The study's grid: fourteen data sets, three small models, and one of these as the LLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import ROOT

from slmroute_plugin.include_path import include_path
from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import load_grid

GRID = ROOT / "examples" / "study" / "grid.yaml"


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """The cells of the grid, from the folder of the checkout, as its files ask."""
    monkeypatch.chdir(ROOT)
    return cells_of(load_grid(GRID), GRID)


def test_every_model_answers_every_data_set_but_coqa(cells: list[Cell]) -> None:
    datasets = {f"slmroute_{path.name}" for path in Path(include_path()).iterdir() if path.is_dir()}
    asked = datasets - {"slmroute_demo", "slmroute_coqa", "slmroute___pycache__"}
    for model in {cell.model for cell in cells}:
        own = [cell for cell in cells if cell.model == model]
        assert {task for cell in own if cell.kind == "evaluation" for task in cell.tasks} == asked
        trained = {task for cell in own if cell.kind == "training" for task in cell.tasks}
        assert trained == {
            f"{task}_train" for task in asked - {"slmroute_math500", "slmroute_mmlu"}
        }


def test_every_cell_draws_its_questions_at_random_and_runs_all_methods(cells: list[Cell]) -> None:
    for cell in cells:
        settings = cell.config["metadata"]["slmroute"]
        assert settings == {
            "uq": "all", "subsample": {"rows": cell.config["limit"], "seed": 0}
        }  # fmt: skip


def test_the_largest_model_is_the_llm() -> None:
    assert load_grid(GRID).slms_as_llms == ["qwen2.5-coder-1.5b-instruct"]
