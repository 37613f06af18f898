"""Benchmarks run without models, and the documentation holds the sizing table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, environment


def said_by(script: str, *options: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *options],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_sizing_table_is_the_one_in_the_documentation() -> None:
    table = said_by("sizing.py", cwd=ROOT)
    assert table.strip() in (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_bookkeeping_is_measured_without_models(tmp_path: Path) -> None:
    options = ["--factors", "1", "2", "--report-factors", "1", "--slms", "1", "--resamples", "0"]
    tables = said_by("scale.py", *options, cwd=tmp_path)
    assert "| 1× | 76 |" in tables
    assert "| 2× | 152 |" in tables
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_whole_report_is_timed_part_by_part(tmp_path: Path) -> None:
    options = "--whole-only --share 0.01 --slms 1 --llms 1 --repeats 1 --resamples 20 --jobs 1"
    table = said_by("analysis.py", *options.split(), cwd=tmp_path)
    head, _, row = (line.strip("| ").split(" | ") for line in table.strip().splitlines())
    parts = ["reading", "measuring", "comparing", "distances", "envelope", "drawing", "rest"]
    assert head[2:9] == [f"of which {part}" for part in parts]
    seconds = [float(cell) for cell in row[1:9]]
    assert seconds[0] == pytest.approx(sum(seconds[1:]), abs=1)
    assert float(row[9]) > 0
    assert not list(tmp_path.iterdir())
