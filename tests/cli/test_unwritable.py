"""A folder that cannot be written to is one clear line, before the work, whatever the command."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

TASK = "slmroute_demo_arithmetic"
ROW = {
    "doc_id": 0, "doc": {"question": "2 + 3?", "answer": 5}, "filter": "slm", "doc_hash": "h",
    "acc": 1.0, "filtered_resps": ["5"], "confidence/perplexity": 0.5,
}  # fmt: skip


def samples(folder: Path) -> Path:
    """Samples of one question, in a model's folder."""
    folder.mkdir(parents=True)
    (folder / "hidden_states").mkdir()
    path = folder / f"samples_{TASK}_2026-01-01T00-00-00.000000.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return folder


def a_grid(folder: Path, results: Path, report: Path) -> Path:
    (folder / "model.yaml").write_text(
        yaml.safe_dump({"model": "hf", "model_args": {"pretrained": "no/such"}})
    )
    grid = {"results": str(results), "report": str(report), "slms": ["model.yaml"]}
    (folder / "grid.yaml").write_text(yaml.safe_dump({**grid, "tasks": {"group": TASK}}))
    return folder / "grid.yaml"


def report(folder: Path, wrong: Path) -> list[str]:
    samples(folder / "results" / "slm")
    return ["report", str(folder / "results"), "--out", str(wrong)]


def calibrate(folder: Path, wrong: Path) -> list[str]:
    samples(folder / "results" / "slm")
    goal = ["--slm", "slm", "--method", "perplexity", "--ratio", "1"]
    return ["calibrate", str(folder / "results"), *goal, "--out", str(wrong / "t.json")]


def sweep(folder: Path, wrong: Path) -> list[str]:
    return ["sweep", str(a_grid(folder, wrong, folder / "report"))]


def sweeps_report(folder: Path, wrong: Path) -> list[str]:
    return ["sweep", str(a_grid(folder, folder / "results", wrong))]


NAMED: dict[str, Callable[[Path, Path], list[str]]] = {
    "report": report, "calibrate": calibrate, "sweep": sweep, "a sweep's report": sweeps_report,
}  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", *command],
        capture_output=True, text=True, timeout=300, check=False, preexec_fn=obey_permissions,
    )  # fmt: skip


def obey_permissions() -> None:
    """Take root's right to write where it may not (CAP_DAC_OVERRIDE), where tests run as root."""
    if os.geteuid() == 0:
        drop_from_bounding_set, may_write_all = 24, 1
        ctypes.CDLL(None).prctl(drop_from_bounding_set, may_write_all, 0, 0, 0)


def assert_one_line(done: subprocess.CompletedProcess[str], path: Path) -> None:
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {path}"), line
    assert " cannot be written: " in line


@pytest.mark.parametrize("command", NAMED)
@pytest.mark.parametrize("wrong", ["below a file", "a long name"])
def test_a_folder_that_is_named_and_cannot_be_made(
    command: str, wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / ("file/new" if wrong == "below a file" else "x" * 256)
    assert_one_line(run(*NAMED[command](tmp_path, folder)), folder)


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A model's folder whose files may be read and not written."""
    folder = samples(tmp_path / "results" / "slm")
    folder.chmod(0o555)
    return folder


@pytest.mark.parametrize(
    "command",
    [["judge", "--model", "m", "--base-url", "http://127.0.0.1:9"], ["score"], ["probes", "fit"]],
    ids=["judge", "score", "probes fit"],
)
def test_a_models_folder_that_may_only_be_read(command: list[str], read_only: Path) -> None:
    assert_one_line(run(*command, str(read_only)), read_only)


@pytest.mark.parametrize("command", ["report", "calibrate"])
def test_a_folder_to_write_to_that_may_only_be_read(
    command: str, tmp_path: Path, read_only: Path
) -> None:
    results = read_only.parent
    told = {
        "report": ["--out", str(read_only)],
        "calibrate": ["--slm", "slm", "--method", "perplexity", "--ratio", "1"],
    }
    assert_one_line(run(command, str(results), *told[command]), read_only)
