"""What comes after the cells, on recorded runs: named where it cannot be done, and gone on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from checkout import ROOT
from demo_grid import RECORDED

from slmroute_plugin.sweep.after_cells import copy_recorded, steps_after
from slmroute_plugin.sweep.grid.grid_file import Grid

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


@pytest.mark.slow
def test_a_small_model_serves_as_the_llm_of_others(tmp_path: Path) -> None:
    for name in (SLM, "Larger"):
        shutil.copytree(ROOT / "results" / SLM, tmp_path / "results" / name)
    grid = Grid.model_validate(
        {
            "slms": [f"{SLM}.yaml", "larger.yaml"],
            "llms": [{"slm": "larger"}],
            "tasks": {"demo": "slmroute_demo"},
            "results": str(tmp_path / "results"),
            "report": str(tmp_path / "report"),
        }
    )
    (report,) = steps_after(grid, {SLM: ["a"], "Larger": ["b"]}, ["Larger"])
    assert report.exit_status == 0, report.tail
    routing = pd.read_csv(tmp_path / "report" / "routing.csv")
    # The larger model is not routed to itself.
    assert set(zip(routing["slm"], routing["llm"], strict=True)) == {(SLM, "Larger")}


def test_probes_are_fitted_and_used_once_for_the_same_answers(
    tmp_path: Path, written: Callable[..., Path]
) -> None:
    for task in ("a", "b"):
        written(f"slmroute_{task}_train", task)
    folder = written("slmroute_a", "a", "evaluation", 10)
    grid = Grid.model_validate(
        {
            "slms": ["tiny.yaml"],
            "llms": [{"replay": str(RECORDED)}],
            "tasks": {"a": "slmroute_a"},
            "training": {"train": ["slmroute_a_train", "slmroute_b_train"]},
            "results": str(tmp_path),
            "report": str(tmp_path / "report"),
        }
    )

    def fitted(files: list[str]) -> list[bool]:
        fit, score, _ = steps_after(grid, {folder.name: files})
        assert (fit.exit_status, score.exit_status) == (0, 0), (fit.tail, score.tail)
        logs = [tmp_path / step.log for step in (fit, score)]
        ran = [log.exists() for log in logs]
        for log in logs:
            log.unlink(missing_ok=True)
        return ran

    assert fitted(["answers"]) == [True, True]
    assert {path.name for path in (folder / "probes").glob("a.*")} == {
        "a.ood_probe.safetensors", "a.trained_probe.safetensors",
    }  # fmt: skip
    assert len(list(folder.glob("samples_slmroute_a_2*"))) == 2  # the second one has the scores
    assert fitted(["answers"]) == [False, False]
    assert fitted(["other answers"]) == [True, True]
