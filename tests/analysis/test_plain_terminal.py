"""`report` and `calibrate` on a terminal that knows ASCII alone, with names that do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]

SLM, LLM = "größer→klein", "大きい"


@pytest.mark.parametrize("command", ["report", "calibrate"])
def test_names_of_any_script_end_no_command(
    command: str, results: Path, write: Write, slm_rows: Rows, llm_rows: Rows, tmp_path: Path
) -> None:
    rows = slm_rows(20)
    write(SLM, "a", rows)
    damaged = write(LLM, "a", llm_rows(20))
    damaged.write_text(damaged.read_text("utf-8") + "\n", encoding="utf-8")
    written = tmp_path / "écrit"
    options = {
        "report": ["--resamples", "0", "--no-figures"],
        "calibrate": ["--slm", SLM, "--llm", LLM, "--method", "p_true", "--ratio", "0.5"],
    }
    told = [command, str(results), *options[command], "--out", str(written)]
    done = subprocess.run(
        [sys.executable, "-m", "slmroute_plugin", *told],
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    # What is said of faults is UTF-8 whatever the terminal: nothing is lost of a file's name.
    said = done.stdout.decode("ascii") + done.stderr.decode("utf-8")
    assert "Traceback" not in said
    assert "line 21: the line is empty" in said
    if command == "report":
        assert (written / "index.html").is_file()
    else:
        assert json.loads(written.read_text("utf-8"))["slm"] == SLM
