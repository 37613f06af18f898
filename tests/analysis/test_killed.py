"""`slmroute report` and `slmroute calibrate` killed: each file is the old or the new one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


@pytest.fixture
def runs(results: Path, write: Write, slm_rows: Rows, llm_rows: Rows) -> Callable[[int], Path]:
    """Writes a run of either model, newer than all before."""

    def runs_of(seed: int) -> Path:
        for number, task in enumerate(("gsm8k", "boolq")):
            date = f"2026-01-0{1 + seed}T00-00-00.000000"
            rows = slm_rows(30, 10 * seed + number, task=task)
            write("small", task, rows, date)
            write("large", task, llm_rows(30, 10 * seed + number + 5, task=task), date)
        return results

    return runs_of


def contents(folder: Path) -> dict[str, bytes]:
    """What a reader sees; not what is kept for the next report."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
    }


def slmroute(*arguments: str | Path) -> subprocess.Popen[bytes]:
    main = "from slmroute_plugin.cli import app; app()"
    command = [sys.executable, "-c", main, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed(run: subprocess.Popen[bytes], at: Callable[[], bool]) -> bool:
    """Whether it was still at work at that moment."""
    with run:
        while run.poll() is None and not at():
            time.sleep(0.0005)
        run.kill()
    return run.returncode == -9


@pytest.mark.slow
def test_a_killed_report_leaves_each_file_as_it_was_or_as_it_is_to_be(
    runs: Callable[[int], Path], tmp_path: Path
) -> None:
    results, out = runs(0), tmp_path / "report"

    def report(to: Path) -> subprocess.Popen[bytes]:
        return slmroute(
            "report", results, "--out", to, "--no-figures", "--resamples", "20", "--jobs", "1"
        )

    assert report(out).wait() == 0
    before = contents(out)
    runs(1)
    assert report(tmp_path / "other").wait() == 0
    after = contents(tmp_path / "other")
    assert before.keys() == after.keys()
    assert before["alignment.csv"] != after["alignment.csv"]

    def unfinished_holds(pattern: str) -> Callable[[], bool]:
        return lambda: any((out / ".unfinished").glob(pattern))

    def changed() -> bool:
        return (out / "alignment.csv").read_bytes() != before["alignment.csv"]

    moments = [unfinished_holds("*"), unfinished_holds("*.csv"), unfinished_holds("latex"), changed]
    hits = 0
    for moment in moments:
        hits += killed(report(out), moment)
        left = contents(out)
        assert left.keys() == before.keys()
        for name, content in left.items():
            assert content in (before[name], after[name]), name
    assert hits >= 2
    assert report(out).wait() == 0
    assert contents(out) == after
    assert not (out / ".unfinished").exists()


@pytest.mark.slow
def test_a_killed_calibration_leaves_the_old_threshold_or_the_new_one(
    runs: Callable[[int], Path], tmp_path: Path
) -> None:
    results, saved = runs(0), tmp_path / "threshold.json"

    def calibrate(ratio: float, to: Path = saved) -> subprocess.Popen[bytes]:
        return slmroute(
            "calibrate", results, "--slm", "small", "--llm", "large", "--method", "perplexity",
            "--ratio", str(ratio), "--out", to,
        )  # fmt: skip

    assert calibrate(0.6, tmp_path / "other.json").wait() == 0
    new = json.loads((tmp_path / "other.json").read_bytes())["threshold"]
    assert calibrate(0.3).wait() == 0
    old = json.loads(saved.read_bytes())["threshold"]
    assert old < new

    def begun() -> bool:
        return any(tmp_path.glob(".threshold.json.*"))

    def changed() -> bool:
        return json.loads(saved.read_bytes())["threshold"] == new

    for moment in (begun, changed):
        killed(calibrate(0.6), moment)
        assert json.loads(saved.read_bytes())["threshold"] in (old, new)
    assert calibrate(0.6).wait() == 0
    assert changed()
    assert not begun()
