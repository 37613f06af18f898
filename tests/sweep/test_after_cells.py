"""What comes after the cells, on recorded runs: named where it cannot be done, and gone on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from checkout import ROOT
from demo_grid import RECORDED

from slmroute_plugin.probes.files import load_probe, probe_path
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples
from slmroute_plugin.sweep.after_cells import Answered, GainOver, copy_recorded, steps_after
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
    fit, score, report = steps_after(grid, {SLM: Answered(["a", "b"])})
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
    stated = {"report": {"llms": ["Larger"]}}
    (tmp_path / "results" / "manifest.json").write_text(json.dumps(stated), encoding="utf-8")
    (report,) = steps_after(grid, {SLM: Answered(["a"]), "Larger": Answered(["b"])})
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

    def fitted(files: list[str], options: dict[str, dict[str, Any]] | None = None) -> list[bool]:
        fit, score, _ = steps_after(grid, {folder.name: Answered(files, options or {})})
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
    # A fit that failed is made again, and what it makes is used.
    in_the_way = probe_path(folder, "dataset", "method")
    in_the_way.mkdir()
    fit, score, _ = steps_after(grid, {folder.name: Answered(["further answers"])})
    assert (fit.exit_status, score.exit_status) == (1, 0), (fit.tail, score.tail)
    in_the_way.rmdir()
    for log in (fit.log, score.log):
        (tmp_path / log).unlink()
    assert fitted(["further answers"]) == [True, True]
    assert fitted(["further answers"]) == [False, False]
    few: dict[str, dict[str, Any]] = {
        "trained_probe": {"epochs": 3, "head": "logistic"},
        "jaccard_degree": {"n": 4},
    }
    assert fitted(["further answers"], few) == [True, True]
    options = load_probe(probe_path(folder, "a", "trained_probe")).provenance.options
    assert (options["epochs"], options["head"]) == (3, "logistic")
    assert fitted(["further answers"], few) == [False, False]


def test_probes_learn_the_gain_over_the_llm_that_the_grid_names(
    tmp_path: Path, written: Callable[..., Path]
) -> None:
    tasks = ["slmroute_a_train", "slmroute_b_train"]
    for task, dataset in zip(tasks, "ab", strict=True):
        folder = written(task, dataset)
    llm = tmp_path / "llm"
    for task in tasks:
        rows = list(read_samples(newest_sample_files(folder)[task]))
        # The LLM is right where the small model is wrong, but for every fifth question.
        right = [float(row["acc"] == 0 and row["doc_id"] % 5 != 0) for row in rows]
        write_samples(llm, task, [row | {"acc": acc} for row, acc in zip(rows, right, strict=True)])
    grid = Grid.model_validate(
        {
            "slms": ["tiny.yaml", "llm.yaml"],
            "llms": [{"slm": "llm"}],
            "tasks": {"a": "slmroute_a"},
            "training": {"train": tasks},
            "probes": {"target": "gain", "llm": "llm"},
            "results": str(tmp_path),
            "report": str(tmp_path / "report"),
        }
    )

    def fitted(files: list[str]) -> tuple[str, bool]:
        """The target of a probe, and whether it was fitted now."""
        path = probe_path(folder, "a", "trained_probe")
        path.unlink(missing_ok=True)
        fit = next(steps_after(grid, {folder.name: Answered(["own"])}, GainOver("llm", files)))
        assert fit.exit_status == 0, fit.tail
        if not path.exists():
            return "", False
        provenance = load_probe(path).provenance
        assert provenance.llm == "llm"
        return provenance.target, True

    assert fitted(["answers"]) == ("gain", True)
    assert fitted(["answers"])[1] is False
    # Other answers of the LLM are other labels.
    assert fitted(["other answers"]) == ("gain", True)
    own = next(steps_after(grid, {"llm": Answered(["own"])}, GainOver("llm", ["own"])))
    assert "--target" not in own.name  # it gains nothing over itself
