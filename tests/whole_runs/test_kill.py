"""A whole study killed at random moments, and while it writes its files.

The same on the real model, with twenty kills: `python benchmarks/kill.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from checkout import ROOT


@pytest.mark.slow
def test_a_study_killed_in_every_step_ends_as_one_left_in_peace(smollm_weights: str) -> None:
    # In a process of its own, because it forks.
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "benchmarks" / "kill.py"),
            "--model", smollm_weights, "--kills", "3",
            "--training", "4", "--questions", "4", "--tokens", "4",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "3 kills" in done.stdout
    assert "Different in the end: nothing." in done.stdout
    for what in (
        "samples of slmroute_demo_arithmetic", "samples of slmroute_demo_arithmetic_train",
        "hidden states", "journal", "LLM cache",
    ):  # fmt: skip
        assert what in done.stdout
