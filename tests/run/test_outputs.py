"""What is written at a run's end is tried at its beginning: named before the first question."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.journal.store import FOLDER as JOURNAL
from slmroute_plugin.run.outputs import LmEvalOutput, lm_eval_output
from slmroute_plugin.settings.schema import SettingsError

ARITHMETIC = "slmroute_demo_arithmetic"
LONG = "/models/" + "x" * 300
ROUTE = {"method": "perplexity", "threshold": 0.5, "llm": {"model": "m", "base_url": "http://x/v1"}}


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=9, max_position_embeddings=1024)


def run(lm: Any, metadata: dict[str, Any], **settings: Any) -> Any:
    settings = {"uq": ["perplexity"], **settings}
    manager = TaskManager(
        include_path=include_path(),
        include_defaults=False,
        metadata={"slmroute": settings, **metadata},
    )
    return simple_evaluate(
        lm, tasks=[ARITHMETIC], task_manager=manager, limit=1, bootstrap_iters=0,
        gen_kwargs="max_gen_toks=2",
    )  # fmt: skip


def a_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


CASES: dict[str, tuple[Callable[[Path], Any], dict[str, Any], dict[str, Any], str]] = {
    "a long model path": (
        lambda results: None, {"pretrained": LONG}, {}, "File name too long.*shorter one"
    ),
    "a file below which results are to be": (
        lambda results: a_file(results), {}, {}, "Not a directory|is not a folder"
    ),
    "hidden states": (
        lambda results: a_file(results / "m" / "hidden_states"), {"pretrained": "m"}, {},
        "hidden_states.*is not a folder.*metadata.slmroute.results",
    ),
    "the LLM's cache": (
        lambda results: a_file(results / ".cache"), {}, {"route": ROUTE}, r"llm\.sqlite cannot be"
    ),
    "the judge's cache": (
        lambda results: None, {}, {"judge": {"model": "m", "cache": "x" * 300}}, "too long"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_written_is_named_before_the_first_question(
    name: str, lm: Any, tmp_path: Path
) -> None:
    prepare, metadata, settings, said = CASES[name]
    results = tmp_path / "results"
    prepare(results)
    with pytest.raises(SettingsError, match=said):
        run(lm, metadata, results=str(results), **settings)
    # Whoever asks questions begins with the journal.
    assert not (results / JOURNAL).exists()


def test_a_folder_that_cannot_hold_a_journal_is_named_before_the_first_question(
    lm: Any, tmp_path: Path
) -> None:
    a_file(tmp_path / "results" / JOURNAL)
    with pytest.raises(Exception, match=r"\.journal.* cannot be"):
        run(lm, {}, results=str(tmp_path / "results"))


def test_a_long_model_path_is_no_fault_where_nothing_is_called_after_it(
    lm: Any, tmp_path: Path
) -> None:
    found = run(lm, {"pretrained": LONG}, results=str(tmp_path), hidden_states=None)
    assert len(found["samples"][ARITHMETIC]) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["bin/lm_eval", "--output_path", "out", "--log_samples"], ("out", True)),
        (["bin/lm-eval", "run", "--output_path=out"], ("out", False)),
        (["lib/lm_eval/__main__.py", "run", "-o", "out", "-s"], ("out", True)),
        (["lib/lm_eval/__main__.py", "--config", "CONFIG"], ("configured", True)),
        (["lib/lm_eval/__main__.py", "-C", "CONFIG", "-o", "out"], ("out", True)),
        (["lib/lm_eval/__main__.py", "--tasks", "x"], None),
        (["bin/pytest", "--output_path", "out"], None),
    ],
)
def test_where_lm_eval_writes_is_read_from_its_command_line(
    arguments: list[str],
    expected: tuple[str, bool] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"output_path": "configured", "log_samples": True}))
    given = [str(config) if each == "CONFIG" else each for each in arguments]
    monkeypatch.setattr(sys, "argv", given)
    assert lm_eval_output() == (expected and LmEvalOutput(Path(expected[0]), expected[1]))


def test_lm_evals_own_files_are_tried_too(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_file(tmp_path / "file")
    out = str(tmp_path / "file" / "out")
    monkeypatch.setattr(sys, "argv", ["bin/lm_eval", "--output_path", out, "--log_samples"])
    with pytest.raises(SettingsError, match=r"file/out/.*lm-eval's --output_path"):
        run(lm, {}, results=str(tmp_path / "results"))


def test_on_the_command_line(tiny: Any, tokenizer: Any, tmp_path: Path) -> None:
    folder = tmp_path / ("m" * 120) / ("m" * 120) / "m"
    tiny(num_hidden_layers=2, max_position_embeddings=1024).model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    done = subprocess.run(
        [
            sys.executable, "-m", "lm_eval", "--model", "hf", "--device", "cpu",
            "--model_args", f"pretrained={folder},dtype=float32", "--tasks", ARITHMETIC,
            "--include_path", str(include_path()), "--limit", "1", "--output_path", "out",
            "--metadata", '{"slmroute": {"uq": "none", "journal": "off"}}',
        ],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "File name too long" in last
    assert "lm-eval's --output_path" in last
    assert not (tmp_path / "out").exists()
