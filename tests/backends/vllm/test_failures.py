"""Runs on vLLM that are killed, and engines that die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from checkout import ROOT, environment

from slmroute_plugin.backends import Question
from slmroute_plugin.backends.vllm.engine import EngineError
from slmroute_plugin.plugins.backends import backend_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def tiny_folder(
    tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Any]:
    """A tiny random model, with heads as large as vLLM takes them on CPUs; its folder, too."""
    wide = {"hidden_size": 64, "num_attention_heads": 2, "max_position_embeddings": 1024}
    lm = tiny("Llama", num_hidden_layers=2, **wide)
    folder = tmp_path_factory.mktemp("tiny")
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return str(folder), lm


def run(model: str, results: Path, *options: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("vllm.version", reason="vLLM is not installed (see make test-engines)")
    return subprocess.run(
        [sys.executable, str(ROOT / "tests/support/killed_vllm_run.py"), model, str(results),
         *options],
        env=environment(VLLM_CPU_KVCACHE_SPACE="1"),
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )  # fmt: skip


def asked(results: Path, name: str) -> list[tuple[int, ...]]:
    lines = (results / f"asked{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [tuple(ids) for line in lines for ids in json.loads(line)]


def test_a_run_killed_within_a_group_loses_nothing_and_asks_nothing_twice(
    tiny_folder: tuple[str, Any], tmp_path: Path
) -> None:
    model, results = tiny_folder[0], tmp_path / "results"
    # The third of its calls is the first of its second group of questions.
    # It ends with its engine, or else its output stayed open.
    killed = run(model, results, "--kill-at", "2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    before = asked(results, "")
    done = run(model, results)
    assert done.returncode == 0, done.stderr[-3000:]
    everything = asked(results, "")
    assert everything[: len(before)] == before
    assert not set(everything[len(before) :]) & set(before)
    # What an undisturbed run asks: as often, and the same.
    assert sorted(everything) == sorted(asked(results, "-undisturbed"))
    rows, undisturbed = (
        json.loads((results / f"rows{name}.json").read_text()) for name in ("", "-undisturbed")
    )
    assert rows.keys() == undisturbed.keys() and len(rows) == 12
    for key, row in undisturbed.items():
        assert rows[key]["resps"] == row["resps"]
        for name, value in row.items():
            if name.startswith("confidence/"):
                # To rounding: what runs in other company.
                assert rows[key][name] == (
                    None if value is None else pytest.approx(value, abs=1e-3)
                )


def test_an_engine_that_died_is_an_error_with_what_to_do(
    tiny_folder: tuple[str, Any], start_engine: Callable[..., Any]
) -> None:
    model, reference = tiny_folder
    others = {child.pid for child in psutil.Process().children()}
    lm = start_engine(model)
    started = [child for child in psutil.Process().children() if child.pid not in others]
    backend = backend_for(lm)
    prompt = reference.apply_chat_template([{"role": "user", "content": "Hello"}])
    question = Question(prompt, "Hello", generation={"until": [], "max_gen_toks": 4}, chat=True)
    assert list(backend.observe([question], frozenset(), 0))
    for child in started:
        # As a system that runs out of memory does.
        child.kill()
    with pytest.raises(EngineError, match="died"):
        list(backend.observe([question], frozenset(), 0))
