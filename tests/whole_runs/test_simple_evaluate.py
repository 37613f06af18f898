"""lm-eval's Python interface with our tasks, and what the settings do there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from slmroute_plugin.include_path import include_path
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.signals import HiddenState
from slmroute_plugin.storage.hidden_states import load_hidden_states

ARITHMETIC = "slmroute_demo_arithmetic"
MMLU = "slmroute_demo_mmlu"


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
    with pytest.raises(
        SettingsError, match="p_true cannot run: the model class DummyLM shows text alone"
    ):
        evaluate("dummy", results_setting | {"uq": ["p_true"]})


@pytest.mark.parametrize("every", ["all", "paper"])
def test_a_set_leaves_out_what_the_model_cannot_serve_with_a_notice(
    results_setting: dict[str, Any], caplog: pytest.LogCaptureFixture, every: str
) -> None:
    found = evaluate("dummy", results_setting | {"uq": every})
    assert "confidence/p_true" not in found["samples"][ARITHMETIC][0]
    (notice,) = (line for line in caplog.messages if "left out" in line)
    alone, draws, *_ = notice.split("; ")
    assert alone.startswith("the model class DummyLM shows text alone: ")
    assert "p_true" in alone and alone.endswith(" are left out")
    # Replies to follow-ups are text too, but this model gives the same one each time.
    assert draws.startswith("DummyLM draws no samples: ")
    assert ": jaccard_degree" in draws


def test_a_model_that_shows_text_alone_serves_the_methods_of_text_that_are_named(
    results_setting: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    found = evaluate("dummy", results_setting)
    assert not [name for name in found["samples"][ARITHMETIC][0] if name.startswith("confidence/")]
    (advice,) = (line for line in caplog.messages if "shows text alone" in line)
    assert "uq: [verbalization_1s, verbalization_2s, jaccard_degree]" in advice
    named = evaluate("dummy", results_setting | {"uq": ["verbalization_1s", "verbalization_2s"]})
    row = named["samples"][ARITHMETIC][0]
    assert {"confidence/verbalization_1s", "confidence/verbalization_2s"} <= set(row)


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


def test_states_of_several_layers_are_kept_for_probes_that_name_theirs(
    tiny: Any, results_setting: dict[str, Any], tmp_path: Path
) -> None:
    options = {
        "trained_probe": {"layer": -3, "position": "mean_answer", "head": "logistic"},
        "ood_probe": {"layer": -2, "position": "mean_answer"},
    }
    evaluate(tiny(), results_setting | {"uq": ["trained_probe", "ood_probe"], "options": options})
    (path,) = tmp_path.glob(f"*/hidden_states/{ARITHMETIC}.safetensors")
    states = load_hidden_states(path)
    assert states.signal == HiddenState((-3, -2), "mean_answer")
    assert states.hidden.shape[1:] == (2, 32)
