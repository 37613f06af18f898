"""The steps after a sweep's cells: which models have probes, and with which options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from demo_grid import ARITHMETIC, MMLU, Demo
from rich.console import Console

from slmroute_plugin.cli import sweep_run
from slmroute_plugin.sweep.after_cells import Answered, Step
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.grid.grid_file import load_grid
from slmroute_plugin.sweep.planning.plan import Plan, Planned, make_plan
from slmroute_plugin.sweep.records import CellRecord
from slmroute_plugin.sweep.run_options import Engine, RunOptions

OPTIONS = {"trained_probe": {"epochs": 3}}


def done(cell: Cell) -> CellRecord:
    """The record of a cell that has run."""
    return CellRecord(
        cell=cell.name, digest=cell.digest, state="done", exit_status=0, attempts=1,
        began="2026-01-01T00:00:00+00:00", seconds=1.0,
        files=(f"{cell.model}/samples_{cell.group}.jsonl",),
    )  # fmt: skip


def test_only_models_with_training_rows_have_probes(
    there: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.change(
        slms=["tiny-llama.yaml", "tiny-qwen3.yaml"],
        llms=[{"slm": "tiny-qwen3"}],
        tasks={"words": {"tasks": ARITHMETIC, "slms": "tiny-llama"}, "facts": MMLU},
        training={"train": {"tasks": f"{ARITHMETIC}_train", "slms": "tiny-llama"}},
        results=str(there.results),
    )
    there.change_model("tiny-llama", metadata={"slmroute": {"options": OPTIONS}})
    grid = load_grid(there.grid)
    planned = make_plan(grid, there.grid).cells
    plan = Plan([Planned(one.cell, done(one.cell), True, one.estimate) for one in planned])
    answered: dict[str, Answered] = {}

    def kept(grid: Any, slms: Mapping[str, Answered], gain_over: Any) -> Iterator[Step]:
        answered.update(slms)
        return iter(())

    monkeypatch.setattr(sweep_run, "steps_after", kept)
    options = RunOptions(Engine.local, None, None, None, 0)
    console = Console(quiet=True)
    assert sweep_run.run_grid(grid, there.grid, plan, [], options, console, is_whole=True)
    assert answered.keys() == {"tiny-llama"}
    assert answered["tiny-llama"].options == OPTIONS
    assert len(answered["tiny-llama"].files) == 3
