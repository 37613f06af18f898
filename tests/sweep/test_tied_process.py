"""A command that ends with its starter: how its end is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slmroute_plugin.sweep.tied_process import run_tied


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(-1)", 255),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
)
def test_statuses_are_told_from_signals(tmp_path: Path, code: str, status: int) -> None:
    command = [sys.executable, "-c", code]
    assert run_tied(command, tmp_path / "log", None, {}, lambda: False) == status
