"""Stock lm-eval with our tasks from the command line: tables, samples, several processes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import venv
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT

from slmroute_plugin.include_path import include_path
from slmroute_plugin.storage.hidden_states import load_hidden_states

ARITHMETIC = "slmroute_demo_arithmetic"
MMLU = "slmroute_demo_mmlu"


@pytest.fixture(scope="module")
def tiny_folder(tiny: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama as a folder that lm-eval can load."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    tiny(num_hidden_layers=9, max_position_embeddings=1024).model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def command(*arguments: str, cwd: Path, python: str = sys.executable, **env: str) -> str:
    """Run `python -m …` and return what it said; it must succeed."""
    done = subprocess.run(
        [python, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def run_arguments(folder: Path, *more: str) -> list[str]:
    return [
        "lm_eval", "--model", "hf", "--model_args", f"pretrained={folder},dtype=float32",
        "--device", "cpu", "--include_path", str(include_path()), "--apply_chat_template",
        "--log_samples", "--output_path", "results", *more,
    ]  # fmt: skip


def samples(run: Path, task: str) -> list[dict[str, Any]]:
    """The sample rows of a run's only file for a task, by doc_id."""
    (path,) = run.glob(f"results/*/samples_{task}_*.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: row["doc_id"])


@pytest.fixture(scope="module")
def plain_run(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One run from the command line, over both demo tasks."""
    cwd = tmp_path_factory.mktemp("plain")
    said = command(
        *run_arguments(tiny_folder, "--tasks", f"{ARITHMETIC},{MMLU}", "--limit", "5"),
        "--batch_size", "auto", "--gen_kwargs", "max_gen_toks=8", cwd=cwd,
    )  # fmt: skip
    return cwd, said


def test_the_table_holds_accuracy_and_auroc_per_method(
    plain_run: tuple[Path, str], generation_methods: frozenset[str]
) -> None:
    _, said = plain_run
    assert "|slm   |" in said
    for method in generation_methods:
        assert f"|auroc/{method}" in said
    assert "|acc/verbalization_1s" in said
    assert f"{ARITHMETIC}: 100%" in said


@pytest.mark.parametrize("task", [ARITHMETIC, MMLU])
def test_samples_carry_a_column_per_method(
    plain_run: tuple[Path, str], generation_methods: frozenset[str], task: str
) -> None:
    rows = samples(plain_run[0], task)
    assert [row["doc_id"] for row in rows] == [0, 1, 2, 3, 4]
    for row in rows:
        assert row["filter"] == "slm"
        assert row["acc"] in (0.0, 1.0)
        assert row["scored_by"] == ("number" if task == ARITHMETIC else "choice")
        for method in generation_methods:
            confidence = row[f"confidence/{method}"]
            correct = row.get(f"acc/{method}", row["acc"])
            assert row[f"auroc/{method}"] == [confidence, correct]
            assert (confidence is None) == (method in row["no_confidence"])
            assert confidence is None or 0 <= confidence <= 1
        assert row["confidence/jaccard_degree"] is not None


def test_hidden_states_lie_beside_lm_evals_files(plain_run: tuple[Path, str]) -> None:
    (folder,) = (each for each in (plain_run[0] / "results").iterdir() if each.name != ".journal")
    assert list(folder.glob("results_*.json"))
    states = load_hidden_states(folder / "hidden_states" / f"{ARITHMETIC}.safetensors")
    assert states.hidden.shape == (5, 32)
    assert states.doc_id.tolist() == [0, 1, 2, 3, 4]


def test_two_processes_of_accelerate_give_the_same_rows(
    plain_run: tuple[Path, str],
    generation_methods: frozenset[str],
    tiny_folder: Path,
    tmp_path: Path,
) -> None:
    arguments = run_arguments(
        tiny_folder, "--tasks", f"{ARITHMETIC},{MMLU}", "--limit", "5", "--batch_size", "2",
        "--gen_kwargs", "max_gen_toks=8",
    )  # fmt: skip
    # Not `accelerate launch --cpu`, which begins one process, however many it is told to.
    said = command(
        "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", *arguments,
        cwd=tmp_path, ACCELERATE_USE_CPU="true",
    )  # fmt: skip
    # Each has its share of the five questions.
    assert f"{ARITHMETIC}: 100%" in said
    assert "3/3" in said
    for task in (ARITHMETIC, MMLU):
        alone, shared = samples(plain_run[0], task), samples(tmp_path, task)
        assert [row["doc_id"] for row in shared] == [row["doc_id"] for row in alone]
        for one, other in zip(alone, shared, strict=True):
            assert one["resps"] == other["resps"]
            for method in generation_methods:
                assert other[f"confidence/{method}"] == pytest.approx(
                    one[f"confidence/{method}"], abs=1e-3
                )
        (path,) = tmp_path.glob(f"results/*/hidden_states/{task}.safetensors")
        assert load_hidden_states(path).doc_id.tolist() == [0, 1, 2, 3, 4]
    # Both wrote to one journal, each question once.
    path = tmp_path / "results" / ".journal" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as journal:
        select = "SELECT count(*), count(DISTINCT key) FROM questions"
        assert journal.execute(select).fetchone() == (10, 10)
    # One process alone goes on with what the two did.
    said = command(*arguments, cwd=tmp_path)
    assert said.count("5 from the journal") == 2


def test_a_strangers_package_adds_its_column(tiny_folder: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = str(environment / "bin" / "python")
    (site,) = environment.glob("lib/python*/site-packages")
    # The environment has all that this one has, and what is installed into it alone.
    ours = Path(pytest.__file__).parent.parent
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    source = ROOT / "examples" / "quantile_token_prob"
    command(
        "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", str(source),
        cwd=tmp_path, python=python,
    )  # fmt: skip
    said = command(
        *run_arguments(tiny_folder, "--tasks", ARITHMETIC, "--limit", "3"),
        "--gen_kwargs", "max_gen_toks=8", "--metadata",
        json.dumps({"slmroute": {"uq": ["quantile_token_prob", "perplexity"]}}),
        cwd=tmp_path, python=python,
    )  # fmt: skip
    assert "|auroc/quantile_token_prob" in said
    for row in samples(tmp_path, ARITHMETIC):
        assert 0 <= row["confidence/quantile_token_prob"] <= row["confidence/perplexity"]
