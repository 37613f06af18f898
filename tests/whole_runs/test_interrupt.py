"""Ctrl-C on the command line: what is done is kept, and the last line says how to go on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ctrl_c import heed_ctrl_c

from slmroute_plugin.include_path import include_path


@pytest.fixture
def command(tiny: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> list[str]:
    """A run of a tiny model over 60 questions, one at a time."""
    folder = tmp_path / "tiny-llama"
    tiny(num_hidden_layers=9, max_position_embeddings=1024).model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return [
        sys.executable, "-m", "lm_eval", "--model", "hf",
        "--model_args", "pretrained=tiny-llama,dtype=float32", "--device", "cpu",
        "--include_path", str(include_path()), "--apply_chat_template", "--log_samples",
        "--output_path", "results", "--tasks", "slmroute_demo_arithmetic", "--limit", "60",
        "--batch_size", "1", "--gen_kwargs", "max_gen_toks=4",
        "--metadata", json.dumps({"slmroute": {"uq": ["perplexity"]}}),
    ]  # fmt: skip


def kept(folder: Path) -> int:
    """How many questions the journal holds."""
    path = folder / "results" / ".journal" / "journal.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM questions").fetchone()[0])
        except sqlite3.OperationalError:  # it is being made
            return 0


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    command: list[str], tmp_path: Path
) -> None:
    how: dict[str, Any] = {
        "cwd": tmp_path,
        "env": {**os.environ, "OMP_NUM_THREADS": "1"},
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "preexec_fn": heed_ctrl_c,
    }
    with subprocess.Popen(command, **how) as run:
        while kept(tmp_path) < 3:
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=120)
    done = kept(tmp_path)
    assert run.returncode != 0
    assert 3 <= done < 60
    last = said.strip().splitlines()[-1]
    assert last.startswith("KeyboardInterrupt: slmroute_demo_arithmetic: stopped with")
    assert f"stopped with {done} of 60 questions answered" in last
    assert last.endswith("the same command goes on from there")
    # And so it does.
    again = subprocess.run(command, check=True, timeout=300, **how)
    assert f"{done} from the journal" in again.stdout
    (path,) = tmp_path.glob("results/*/samples_*.jsonl")
    ids = [json.loads(line)["doc_id"] for line in path.read_text().splitlines()]
    assert sorted(ids) == list(range(60))
