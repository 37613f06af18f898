"""The record of a cell that has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sweep_cells import cell

from slmroute_plugin.sweep.cell_run import Order, run_cell


def git(folder: Path, *command: str) -> str:
    """Run a command of git in a folder, as somebody, and return its output."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *who, *command], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit_of_a_cell(checkout: Path) -> str | None:
    """The commit that is recorded for a cell that is to run in a folder, and is stopped at once."""
    order = Order(cell(), checkout / "results", directory=checkout)
    return run_cell(order, stopped=lambda: True).git_commit


def test_a_record_names_the_commit_of_the_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("a", encoding="utf-8")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "a")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of_a_cell(tmp_path) == head
    (tmp_path / "file").write_text("b", encoding="utf-8")
    assert commit_of_a_cell(tmp_path) == f"{head}+"


def test_outside_a_checkout_a_record_names_no_commit(tmp_path: Path) -> None:
    assert commit_of_a_cell(tmp_path) is None


def test_a_program_that_cannot_be_run_costs_what_it_would_have_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nvidia-smi", "git"):
        (tmp_path / name).write_bytes(b"\0")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    record = run_cell(Order(cell(), tmp_path / "results"), stopped=lambda: True)
    assert record.tail == ("It was stopped before it began.",)
    assert (record.git_commit, record.hardware["gpus"]) == (None, [])


def test_samples_of_a_task_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    script = tmp_path / "lm_eval.py"
    script.write_text(
        "import pathlib, sys, yaml\n"
        "out = pathlib.Path(yaml.safe_load(open(sys.argv[-1]))['output_path'], 'm')\n"
        "out.mkdir()\n"
        "(out / 'samples_a_2b_2026-01-01T00-00-00.000000.jsonl').write_text('')\n",
        encoding="utf-8",
    )
    order = Order(
        cell(tasks=("a", "a_2b")), tmp_path / "results", (sys.executable, str(script)), retries=0
    )
    record = run_cell(order)
    assert record.state == "failed"
    assert record.tail[0] == "lm-eval ended well, but left no samples of a."
