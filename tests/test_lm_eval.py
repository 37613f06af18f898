"""Stock lm-eval with our tasks: its command line, its options, its Python interface."""

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
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.hidden_states import load_hidden_states
from slmroute_plugin.include_path import include_path
from slmroute_plugin.settings import SettingsError

ARITHMETIC = "slmroute_demo_arithmetic"
MMLU = "slmroute_demo_mmlu"
ROOT = Path(__file__).resolve().parent.parent


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
    source = ROOT / "examples" / "min_token_prob"
    command(
        "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", str(source),
        cwd=tmp_path, python=python,
    )  # fmt: skip
    said = command(
        *run_arguments(tiny_folder, "--tasks", ARITHMETIC, "--limit", "3"),
        "--gen_kwargs", "max_gen_toks=8", "--metadata",
        json.dumps({"slmroute": {"uq": ["min_token_prob", "perplexity"]}}),
        cwd=tmp_path, python=python,
    )  # fmt: skip
    assert "|auroc/min_token_prob" in said
    for row in samples(tmp_path, ARITHMETIC):
        assert 0 <= row["confidence/min_token_prob"] <= row["confidence/perplexity"]


def evaluate(model: Any, settings: dict[str, Any], task: str = ARITHMETIC, **more: Any) -> Any:
    manager = TaskManager(
        include_path=str(include_path()), include_defaults=False, metadata={"slmroute": settings}
    )
    options: dict[str, Any] = {"limit": 4, "bootstrap_iters": 0, "log_samples": True} | more
    return simple_evaluate(
        model=model,
        tasks=[task],
        task_manager=manager,
        gen_kwargs={"max_gen_toks": 8},
        **options,
    )


@pytest.fixture
def results_setting(tmp_path: Path) -> dict[str, Any]:
    return {"results": str(tmp_path)}


def test_simple_evaluate_takes_a_model_object(tiny: Any, results_setting: dict[str, Any]) -> None:
    found = evaluate(tiny(), results_setting | {"uq": ["perplexity"]}, apply_chat_template=True)
    assert {"acc,slm", "auroc/perplexity,slm"} <= set(found["results"][ARITHMETIC])
    assert "auroc/p_true,slm" not in found["results"][ARITHMETIC]
    assert found["higher_is_better"][ARITHMETIC]["auroc/perplexity"] is True


def test_chosen_samples_keep_their_ids_in_any_order(
    tiny: Any, results_setting: dict[str, Any], tmp_path: Path
) -> None:
    model, settings = tiny(), results_setting | {"uq": ["perplexity"]}
    chosen = evaluate(model, settings, limit=None, samples={ARITHMETIC: [7, 2, 30]})
    rows = {row["doc_id"]: row for row in chosen["samples"][ARITHMETIC]}
    assert list(rows) == [7, 2, 30]
    (path,) = tmp_path.glob(f"*/hidden_states/{ARITHMETIC}.safetensors")
    assert load_hidden_states(path).doc_id.tolist() == [2, 7, 30]
    first = evaluate(model, settings, limit=8)["samples"][ARITHMETIC]
    for doc_id in (2, 7):
        assert rows[doc_id]["doc_hash"] == first[doc_id]["doc_hash"]
        assert rows[doc_id]["resps"] == first[doc_id]["resps"]


def test_a_sample_that_does_not_exist_is_named(tiny: Any, results_setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\[999\] lie outside"):
        evaluate(tiny(), results_setting, limit=None, samples={ARITHMETIC: [0, 999]})


def test_few_shots_and_system_instruction_reach_every_prompt(
    tiny: Any, results_setting: dict[str, Any]
) -> None:
    found = evaluate(
        tiny(max_length=2048),
        results_setting | {"uq": ["verbalization_1s"]},
        num_fewshot=2,
        system_instruction="Be brief.",
        apply_chat_template=True,
        limit=2,
    )
    for row in found["samples"][ARITHMETIC]:
        prompt = row["arguments"][0][0]
        assert prompt.count("<|im_start|>assistant") == 3
        assert "<|im_start|>system\nBe brief.<|im_end|>" in prompt
        assert prompt.count("The answer is") == 2


def test_a_model_without_signals_gives_plain_answers(results_setting: dict[str, Any]) -> None:
    found = evaluate("dummy", results_setting)
    row = found["samples"][ARITHMETIC][0]
    assert found["results"][ARITHMETIC]["acc,slm"] == 0.0
    assert row["resps"] == [["lol"]]
    assert row["answer"] is None
    assert not [column for column in row if column.startswith(("confidence/", "auroc/"))]


@pytest.mark.parametrize("chat", [True, False])
def test_a_model_behind_an_api_gives_plain_answers(
    httpserver: Any, results_setting: dict[str, Any], chat: bool
) -> None:
    path = "/v1/chat/completions" if chat else "/v1/completions"
    message = {"content": "The answer is 7.", "role": "assistant"}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "text": "The answer is 7."}
    httpserver.expect_request(path).respond_with_json({"choices": [choice]})
    arguments = {
        "base_url": httpserver.url_for(path),
        "model": "any",
        "tokenizer_backend": None,
        "tokenized_requests": False,
        "num_concurrent": 1,
    }
    found = evaluate(
        "local-chat-completions" if chat else "local-completions",
        results_setting,
        model_args=arguments,
        apply_chat_template=chat,
    )
    rows = found["samples"][ARITHMETIC]
    assert [row["answer"] for row in rows] == ["7"] * 4
    assert [row["acc"] for row in rows] == [float(row["target"] == "7") for row in rows]
    assert not [column for column in rows[0] if column.startswith("confidence/")]
    assert len(httpserver.log) == 4


def test_a_named_method_that_the_model_cannot_serve_is_an_error(
    results_setting: dict[str, Any],
) -> None:
    with pytest.raises(SettingsError, match="p_true cannot run: the model class DummyLM offers"):
        evaluate("dummy", results_setting | {"uq": ["p_true"]})


def test_all_leaves_out_what_the_model_cannot_serve_with_a_notice(
    results_setting: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    found = evaluate("dummy", results_setting | {"uq": "all"})
    assert "confidence/p_true" not in found["samples"][ARITHMETIC][0]
    (notice,) = (line for line in caplog.messages if "left out" in line)
    assert notice.startswith("the model class DummyLM offers no signals: ")
    assert notice.endswith(" are left out")
    assert "p_true" in notice


def test_bad_settings_stop_the_run_before_any_question(results_setting: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'perplexity'"):
        evaluate("dummy", results_setting | {"uq": ["perplexty"]})


def test_no_methods_and_no_hidden_states_cost_nothing_extra(
    tiny: Any, results_setting: dict[str, Any], tmp_path: Path
) -> None:
    found = evaluate(tiny(), results_setting | {"uq": "none"})
    assert "confidence/perplexity" not in found["samples"][ARITHMETIC][0]
    assert [each.name for each in tmp_path.iterdir()] == [".journal"]


def test_predict_only_scores_nothing(tiny: Any, results_setting: dict[str, Any]) -> None:
    found = evaluate(tiny(), results_setting | {"uq": ["perplexity"]}, predict_only=True)
    assert found["results"][ARITHMETIC]["bypass,slm"] == 999
    assert found["samples"][ARITHMETIC][0]["confidence/perplexity"] is not None


def test_a_task_and_its_twin_run_in_one_call(tiny: Any, results_setting: dict[str, Any]) -> None:
    found = evaluate(tiny(), results_setting | {"uq": ["perplexity"]}, task="slmroute_demo")
    assert set(found["results"]) == {ARITHMETIC, MMLU}
    assert all(len(rows) == 4 for rows in found["samples"].values())
