"""Models of the paper are known by their usual names, and others are not taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.figures.paper.models import passed_over, runs_of
from slmroute_plugin.analysis.figures.paper.specification import LLMS, SLMS, Model

GRID = Path(__file__).resolve().parents[4] / "examples" / "paper"
MODELS = (*SLMS, *LLMS)


def folder(model: str) -> str:
    """A model's folder of results, as lm-eval names it."""
    return model.replace("/", "__")


def named(config: str) -> str:
    """The model of an lm-eval config file of the grid."""
    about = yaml.safe_load((GRID / config).read_text(encoding="utf-8"))["model_args"]
    return folder(about.get("pretrained") or about["model"])


def test_the_grid_of_the_paper_is_recognised_model_by_model() -> None:
    grid = yaml.safe_load((GRID / "grid.yaml").read_text(encoding="utf-8"))
    for kind, models in (("slms", SLMS), ("llms", LLMS)):
        cells = [cell if isinstance(cell, str) else cell["config"] for cell in grid[kind]]
        runs = [named(cell) for cell in cells]
        recognised = runs_of(models, runs)
        assert list(recognised) == [model.name for model in models]
        assert {run.run for run in recognised.values()} == set(runs)
        assert {run.shown for run in recognised.values()} == {model.name for model in models}


@pytest.mark.parametrize(
    ("run", "model"),
    [
        ("gpt-4.1-mini-2025-04-14", "GPT-4.1 mini"),
        ("openai__gpt-4.1-mini", "GPT-4.1 mini"),
        ("deepseek__deepseek-r1", "DeepSeek-R1"),
        ("meta-llama__Meta-Llama-3.1-70B-Instruct", "Llama-3.1-70B-Instruct"),
        ("meta-llama__Meta-Llama-3.1-70B-Instruct-Turbo", "Llama-3.1-70B-Instruct"),
        ("hugging-quants__Meta-Llama-3.1-70B-Instruct-AWQ-INT4", "Llama-3.1-70B-Instruct"),
        ("neuralmagic__Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "Llama-3.1-8B-Instruct"),
        ("Qwen__Qwen3-32B-FP8", "Qwen3-32B"),
        ("unsloth__Qwen3-4B-unsloth-bnb-4bit", "Qwen3-4B"),
        ("Qwen__Qwen2.5-7B-Instruct-GPTQ-Int8", "Qwen2.5-7B-Instruct"),
        ("fla-hub__rwkv7-2.9B-world", "RWKV-7-2.9B"),
        ("RWKV__RWKV7-Goose-World3-2.9B-HF", "RWKV-7-2.9B"),
        ("__models__Qwen3-0.6B", "Qwen3-0.6B"),
    ],
)
def test_usual_names_and_other_precisions_are_recognised(run: str, model: str) -> None:
    assert list(runs_of(MODELS, [run])) == [model]


@pytest.mark.parametrize(
    "run",
    [
        *("deepseek-ai__DeepSeek-R1-Distill-Qwen-7B", "deepseek-ai__DeepSeek-R1-0528"),
        *("Qwen__Qwen3-4B-Instruct-2507", "Qwen__Qwen3-4B-Base", "Qwen__Qwen3-32", "Qwen3-4"),
        *("meta-llama__Llama-3.2-1B", "meta-llama__Llama-3.1-405B-Instruct", "gpt-4.1"),
        *("mistralai__Mistral-7B-Instruct-v0.2", "Qwen__Qwen2.5-Coder-7B-Instruct"),
        *("microsoft__Phi-3.5-mini-instruct-finetuned", "Qwen3-4B__checkpoint-500", "", "_"),
    ],
)
def test_other_models_are_not_taken_for_them(run: str) -> None:
    assert runs_of(MODELS, [run]) == {}


@given(st.sampled_from(MODELS), st.sampled_from(["", "some-org__", "a__b__"]), st.booleans())
def test_organisation_and_case_do_not_matter(
    model: Model, organisation: str, is_upper: bool
) -> None:
    for name in model.hub_names:
        run = organisation + (name.upper() if is_upper else name.lower())
        assert [each.run for each in runs_of([model], [run]).values()] == [run]


def test_of_several_runs_the_plainest_counts_and_a_note_says_so() -> None:
    runs = runs_of(LLMS, ["Qwen__Qwen3-32B-AWQ", "z__Qwen3-32B", "Qwen__Qwen3-32B-FP8"])
    assert runs["Qwen3-32B"].run == "z__Qwen3-32B"
    (note,) = passed_over(runs)
    assert "z__Qwen3-32B, not Qwen__Qwen3-32B-AWQ, Qwen__Qwen3-32B-FP8" in note
    assert passed_over(runs_of(LLMS, ["Qwen__Qwen3-32B"])) == []


def test_a_variant_is_shown_under_its_own_name() -> None:
    assert runs_of(LLMS, ["Qwen__Qwen3-32B-AWQ"])["Qwen3-32B"].shown == "Qwen3-32B-AWQ"
