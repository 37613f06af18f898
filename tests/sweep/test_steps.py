"""What comes after the cells, on recorded runs: named where it cannot be done, and gone on from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slmroute_plugin.sweep.grid_file import Grid
from slmroute_plugin.sweep.steps import copy_recorded, steps_after

from .conftest import RECORDED, ROOT

SLM = "SmolLM2-135M-Instruct"


@pytest.mark.slow
def test_probes_without_hidden_states_are_named_and_the_report_is_made(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "results" / SLM, tmp_path / "results" / SLM)
    grid = Grid.model_validate(
        {
            "slms": [f"{SLM}.yaml"],
            "llms": [{"replay": str(RECORDED)}],
            "tasks": {"demo": "slmroute_demo"},
            "training": {"train": "slmroute_demo_train"},
            "results": str(tmp_path / "results"),
            "report": str(tmp_path / "report"),
        }
    )
    copy_recorded(grid)
    assert len(list((tmp_path / "results" / RECORDED.name).glob("samples_*"))) == 2
    fit, score, report = steps_after(grid, {SLM: ["a", "b"]})
    assert (fit.exit_status, score.exit_status, report.exit_status) == (1, 1, 0)
    assert "No probe was fitted" in " ".join(fit.tail)
    assert (tmp_path / "results" / fit.log).is_file()
    routing = (tmp_path / "report" / "routing.csv").read_text(encoding="utf-8")
    assert RECORDED.name in routing
