"""One key of a grid, or of a model in it, chooses between transformers and vLLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_grid import Demo

from slmroute_plugin.sweep.grid.cells import Cell, cells_of
from slmroute_plugin.sweep.grid.grid_file import GridError, load_grid
from slmroute_plugin.sweep.grid.model_engine import on_engine, with_hidden_states

HF: dict[str, Any] = {
    "model": "hf",
    "model_args": {"pretrained": "org/model", "dtype": "bfloat16", "max_length": 4096},
    "device": "cuda:0",
    "batch_size": 16,
    "apply_chat_template": True,
}


def cells(demo: Demo) -> list[Cell]:
    return cells_of(load_grid(demo.grid), demo.grid)


def test_a_file_for_transformers_says_how_vllm_runs_the_model() -> None:
    assert on_engine(HF, "vllm") == {
        "model": "vllm",
        "model_args": HF["model_args"],
        "batch_size": "auto",
        "apply_chat_template": True,
    }
    more = on_engine(HF, "vllm", {"gpu_memory_utilization": 0.5})
    assert more["model_args"] == {**HF["model_args"], "gpu_memory_utilization": 0.5}
    unnamed = {name: value for name, value in HF.items() if name != "model"}
    for config in (unnamed, HF | {"model": "huggingface"}):
        assert on_engine(config, "vllm") == on_engine(HF, "vllm")
    adapted = on_engine(HF | {"model_args": {"pretrained": "m", "peft": "adapter"}}, "vllm")
    assert adapted["model_args"] == {"pretrained": "m", "lora_local_path": "adapter"}


@pytest.mark.parametrize("model", ["vllm", "local-chat-completions"])
def test_other_files_are_left_as_they_are(model: str) -> None:
    config = HF | {"model": model}
    assert on_engine(config, "vllm") == config
    assert on_engine(HF, "transformers") == HF


def test_an_argument_that_vllm_has_not_is_named_with_the_fix() -> None:
    config = HF | {"model_args": {"pretrained": "m", "parallelize": True}}
    with pytest.raises(ValueError, match=r"parallelize has no counterpart.*engine: transformers"):
        on_engine(config, "vllm")


def test_a_grid_chooses_for_all_and_a_model_for_itself(demo: Demo) -> None:
    assert {cell.config["model"] for cell in cells(demo)} == {"hf"}
    demo.change(
        engine="vllm",
        slms=["tiny-llama.yaml", {"config": "tiny-qwen3.yaml", "engine": "transformers"}],
    )
    assert {(cell.model, cell.config["model"]) for cell in cells(demo)} == {
        ("tiny-llama", "vllm"),
        ("tiny-qwen3", "hf"),
    }
    assert {cell.needs.gpus for cell in cells(demo)} == {0.0}


def test_a_model_that_vllm_cannot_run_is_an_error_that_names_its_file(demo: Demo) -> None:
    demo.change(engine="vllm")
    demo.change_model("tiny-llama", model_args={"pretrained": "m", "gguf_file": "m.gguf"})
    with pytest.raises(GridError, match=r"tiny-llama\.yaml: model_args\.gguf_file"):
        cells(demo)


def test_an_unknown_engine_is_refused(demo: Demo) -> None:
    demo.change(engine="sglang")
    with pytest.raises(GridError, match="engine"):
        load_grid(demo.grid)


@pytest.fixture
def saved(tiny: Callable[..., Any], tmp_path: Path) -> str:
    """The folder of a model with nine blocks."""
    tiny("Llama", num_hidden_layers=9).model.save_pretrained(tmp_path)
    return str(tmp_path)


def test_the_hidden_state_of_the_settings_is_handed_out(saved: str) -> None:
    config = {"model": "vllm", "model_args": {"pretrained": saved}}
    given = with_hidden_states(config)["model_args"]
    draft = given["speculative_config"]["draft_model_config"]["hf_config"]
    # Ten states, of which the eighth from the end is the third.
    assert draft == {"eagle_aux_hidden_state_layer_ids": [2]}
    without = config | {"metadata": {"slmroute": {"hidden_states": None}}}
    assert with_hidden_states(without) == without
    assert with_hidden_states(config | {"model_args": given})["model_args"] == given
