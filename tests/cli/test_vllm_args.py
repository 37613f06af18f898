"""`slmroute vllm-args`: what to start vLLM with, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import slmroute
from typer.testing import Result


@pytest.fixture
def model(tiny: Callable[..., Any], tmp_path: Path) -> str:
    """A model with ten blocks, four heads, and 32 numbers in a state; float32."""
    tiny("Llama").model.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def run(*options: str) -> Result:
    return slmroute("vllm-args", *options)


def layers_of(result: Result) -> list[int]:
    assert result.exit_code == 0, result.output
    draft = json.loads(result.stdout)["speculative_config"]["draft_model_config"]["hf_config"]
    return list(draft["eagle_aux_hidden_state_layer_ids"])


def test_standard_output_is_what_lm_eval_takes(model: str) -> None:
    result = run(model, "--layer", "-8", "--dtype", "float32", "--folder", "/somewhere")
    assert result.exit_code == 0, (result.output, result.exception)
    given = json.loads(result.stdout)
    assert (given["pretrained"], given["dtype"]) == (model, "float32")
    transfer = given["kv_transfer_config"]
    assert transfer["kv_connector_module_path"] == "slmroute_plugin.backends.vllm.connector"
    folder = transfer["kv_connector_extra_config"]["shared_storage_path"]
    assert Path(folder).parent == Path("/somewhere")
    assert layers_of(result) == [3]


def test_layers_add_up_and_prompt_states_are_all(model: str) -> None:
    assert layers_of(run(model, "--layer", "-1", "--layer", "0", "--layer", "10")) == [0, 10]
    assert layers_of(run(model, "--layer", "-8", "--prompt-states")) == list(range(11))


def test_the_cost_is_said_in_bytes_of_the_cache(model: str) -> None:
    result = run(model, "--layer", "-8", "--dtype", "float32")
    # Keys and values of ten blocks of 32 numbers, four bytes each; one state of 32 numbers.
    assert "2,688 bytes in place of 2,560 (+5%)" in result.stderr
    half = run(model, "--layer", "-8", "--dtype", "bfloat16")
    assert "1,344 bytes in place of 1,280" in half.stderr


@pytest.mark.parametrize("layer", ["11", "-12"])
def test_a_layer_that_the_model_has_not_is_named(model: str, layer: str) -> None:
    result = run(model, "--layer", layer)
    assert result.exit_code == 2
    assert f"--layer {layer}" in result.stderr and "-11 to 10" in result.stderr


def test_nothing_asked_for_is_an_error(model: str) -> None:
    assert "--prompt-states" in run(model).stderr


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run(str(tmp_path / "nowhere"), "--layer", "-8")
    assert result.exit_code == 2 and "nowhere" in result.stderr
