"""Cells that several processes of accelerate share."""

from __future__ import annotations

import re

import pytest
from demo_grid import ARITHMETIC, Demo, Rows, same_rows, sample_rows, sweep


@pytest.mark.slow
def test_two_processes_per_cell_give_what_plain_runs_give(demo: Demo, plain_rows: Rows) -> None:
    demo.change(tasks={"words": ARITHMETIC})
    done = sweep(demo, "--engine", "accelerate", "--jobs", "2")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    same_rows(sample_rows(demo.results), plain_rows, [ARITHMETIC])
    log = (demo.results / ".sweep" / "tiny-llama.words" / "log.txt").read_text(encoding="utf-8")
    # Of four questions each process has two.
    assert set(re.findall(r"0/(\d+) \[[^\]]*question/s", log)) == {"2"}
