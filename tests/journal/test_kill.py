"""A whole study killed at random moments, and while it writes its files.

The same on the real model, with twenty kills: `python benchmarks/kill.py`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_study_killed_in_every_step_ends_as_one_left_in_peace(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny-llama"
    tiny(num_hidden_layers=9, max_position_embeddings=1024).model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # In a process of its own, because it forks.
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "benchmarks" / "kill.py"), "--model", str(folder),
            "--kills", "8", "--questions", "8",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "Different in the end: nothing." in done.stdout
    for what in (
        "samples of slmroute_demo_arithmetic", "samples of slmroute_demo_arithmetic_train",
        "hidden states", "probe demo_arithmetic.trained_probe", "journal", "LLM cache",
    ):  # fmt: skip
        assert what in done.stdout
    assert done.stdout.count("| at ") >= 6
