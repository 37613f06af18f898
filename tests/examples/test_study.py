"""The study's grid: fourteen data sets, three small models, and one of these as the LLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import ROOT

from slmroute_plugin.include_path import include_path
from slmroute_plugin.sweep.grid.cells import Cell, Kind, Role, cells_of
from slmroute_plugin.sweep.grid.grid_file import load_grid

GRID = ROOT / "examples" / "study" / "grid.yaml"
SMALLEST, MIDDLE, LARGEST = (
    "smollm2-135m-instruct",
    "qwen2.5-coder-0.5b-instruct",
    "qwen2.5-coder-1.5b-instruct",
)
LONG = {"slmroute_gsm8k", "slmroute_math500", "slmroute_multiarith"}
WITHOUT_METHODS = {SMALLEST: LONG | {"slmroute_svamp"}, MIDDLE: set[str](), LARGEST: LONG}


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """The cells of the grid, from the folder of the checkout, as its files ask."""
    monkeypatch.chdir(ROOT)
    return cells_of(load_grid(GRID), GRID)


def tasks_of(cells: list[Cell], kind: Kind, role: Role) -> set[str]:
    """The tasks of cells of a kind in which the model has this role."""
    return {task for cell in cells if (cell.kind, cell.role) == (kind, role) for task in cell.tasks}


@pytest.mark.parametrize("model", [SMALLEST, MIDDLE, LARGEST])
def test_every_data_set_but_coqa_is_asked_and_long_answers_of_some_models(
    cells: list[Cell], model: str
) -> None:
    datasets = {f"slmroute_{path.name}" for path in Path(include_path()).iterdir() if path.is_dir()}
    asked = datasets - {"slmroute_demo", "slmroute_coqa", "slmroute___pycache__"}
    own = [cell for cell in cells if cell.model == model]
    with_methods = asked - WITHOUT_METHODS[model]
    assert tasks_of(own, "evaluation", "slm") == with_methods
    # The LLM of the others answers what it has no methods on, too.
    as_llm = WITHOUT_METHODS[model] if model == LARGEST else set()
    assert tasks_of(own, "evaluation", "llm") == as_llm
    rowless = {"slmroute_math500", "slmroute_mmlu"}
    assert tasks_of(own, "training", "slm") == {f"{task}_train" for task in with_methods - rowless}
    assert not tasks_of(own, "training", "llm")


def test_every_cell_draws_its_questions_at_random(cells: list[Cell]) -> None:
    for cell in cells:
        settings = cell.config["metadata"]["slmroute"]
        assert settings == {
            "uq": "all" if cell.role == "slm" else "none",
            "subsample": {"rows": cell.config["limit"], "seed": 0},
        }


def test_the_largest_model_is_the_llm() -> None:
    assert load_grid(GRID).slms_as_llms == ["qwen2.5-coder-1.5b-instruct"]
