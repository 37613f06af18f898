"""Sweeps on this machine: the demo grid, whole, cut off, and with a part that fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from checkout import environment
from demo_grid import ARITHMETIC, MMLU, Demo, Rows, same_rows, sample_rows, sweep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(make_demo: Callable[[], Demo]) -> Demo:
    """The demo grid after a sweep by two workers."""
    demo = make_demo()
    done = sweep(demo, "--jobs", "2")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "4 cells, 0 done, 4 to do" in done.stdout
    assert "tiny-llama.words: done after" in done.stdout
    return demo


def test_two_workers_give_what_plain_runs_give(finished: Demo, plain_rows: Rows) -> None:
    same_rows(sample_rows(finished.results), plain_rows)


def test_the_report_routes_to_the_recorded_llm(finished: Demo) -> None:
    routing = (finished.folder / "report" / "routing.csv").read_text(encoding="utf-8")
    assert "Qwen2.5-Coder-1.5B-Instruct" in routing
    assert (finished.folder / "report" / "index.html").is_file()


def test_the_manifest_says_how_every_cell_was_run(finished: Demo) -> None:
    manifest = finished.manifest()
    assert manifest["versions"].keys() >= {"python", "torch", "lm_eval", "transformers"}
    assert manifest["hardware"]["cpus"] == os.cpu_count()
    names = [cell["cell"] for cell in manifest["cells"]]
    assert names == [
        "tiny-llama.words", "tiny-llama.options", "tiny-qwen3.words", "tiny-qwen3.options",
    ]  # fmt: skip
    for number, cell in enumerate(manifest["cells"]):
        assert (cell["number"], cell["state"], cell["exit_status"]) == (number, "done", 0)
        assert cell["questions"] == 4
        assert isinstance(cell["seconds"], float)
        assert cell["seeds"] == {"lm_eval": [0, 1234, 1234, 1234], "slmroute": 0}
        assert all((finished.results / name).is_file() for name in cell["files"])
    assert [step["name"].split()[0] for step in manifest["steps"]] == ["report"]


def test_what_is_done_is_not_done_again(finished: Demo) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.results.glob("*tiny-*/*")}
    again = sweep(finished)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "4 cells, 4 done, 0 to do" in again.stdout
    after = {path: path.stat().st_mtime_ns for path in finished.results.glob("*tiny-*/*")}
    assert after == before


def test_a_cell_alone_and_a_cell_that_fails_which_stops_no_other(demo: Demo) -> None:
    demo.change(tasks={"words": ARITHMETIC})
    demo.change_model("tiny-llama", model_args={"pretrained": str(demo.folder / "nowhere")})
    done = sweep(demo, "--cell", "0")
    assert done.returncode == 1
    assert [cell["state"] for cell in demo.manifest()["cells"]] == ["failed", "to do"]
    assert not (demo.folder / "report").exists()
    done = sweep(demo)
    assert done.returncode == 1
    said = done.stdout.partition("Failed: tiny-llama.words")[2]
    assert "nowhere" in said
    failed, other = demo.manifest()["cells"]
    assert failed["state"] == "failed"
    # An error would come again: there was one attempt.
    assert failed["attempts"] == 1
    assert other["state"] == "done"
    assert (demo.folder / "report" / "index.html").is_file()


def started(demo: Demo, *options: str) -> subprocess.Popen[bytes]:
    """A sweep in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "slmroute_plugin", "sweep", "grid.yaml", *options],
        cwd=demo.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Processes that run lm-eval for a sweep, the watcher in between left out."""
    every = psutil.Process(process.pid).children(recursive=True)
    return [
        one for one in every
        if "lm_eval" in one.cmdline() and "slmroute_plugin.sweep.tied_process" not in one.cmdline()
    ]  # fmt: skip


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is there; the sweep must not end before that."""
    deadline = time.monotonic() + 300
    while not what():
        assert process.poll() is None, "the sweep ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def journal_of(demo: Demo, cell: str) -> Path:
    return demo.results / ".sweep" / cell / "runs" / ".journal" / "journal.sqlite"


def test_a_sweep_and_then_a_cell_killed_end_as_a_plain_run(demo: Demo, plain_rows: Rows) -> None:
    process = started(demo)
    wait_for(journal_of(demo, "tiny-llama.words").is_file, process)
    running = descendants(process)
    assert running
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Nobody is left who would work on, and hold what the next sweep needs.
    _, alive = psutil.wait_procs(running, timeout=30)
    assert not alive
    process = started(demo, "--jobs", "2")
    wait_for(journal_of(demo, "tiny-llama.options").is_file, process)
    descendants(process)[0].kill()
    assert process.wait(timeout=400) == 0
    attempts = [cell["attempts"] for cell in demo.manifest()["cells"]]
    assert sorted(attempts) == [1, 1, 1, 2]
    same_rows(sample_rows(demo.results), plain_rows)


def test_the_config_that_a_cell_leaves_is_lm_evals_own(finished: Demo) -> None:
    from lm_eval.config.evaluate_config import EvaluatorConfig

    for name, task in (("tiny-llama.words", ARITHMETIC), ("tiny-qwen3.options", MMLU)):
        config = EvaluatorConfig.from_config(finished.results / ".sweep" / name / "config.yaml")
        assert config.tasks == [task]
        assert json.loads(json.dumps(config.metadata["slmroute"]))["uq"]
