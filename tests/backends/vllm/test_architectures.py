"""Which architectures vLLM hands out hidden states of, and what the command says of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.sweep.grid.grid_file import load_grid

# Those of the paper's small models (examples/paper), by the file that names each.
PAPER = {
    "llama-3.2-1b-instruct": "Llama",
    "llama-3.2-3b-instruct": "Llama",
    "phi-3.5-mini-instruct": "Phi3",
    "mistral-7b-instruct-v0.3": "Mistral",
    "qwen2.5-7b-instruct": "Qwen2",
    "llama-3.1-8b-instruct": "Llama",
    "granite-3.1-8b-instruct": "Granite",
    "qwen3-0.6b": "Qwen3",
    "qwen3-1.7b": "Qwen3",
    "qwen3-4b": "Qwen3",
    "phi-4-mini-reasoning": "Phi3",
    "rwkv7-2.9b": "Rwkv",
}


@pytest.fixture(autouse=True)
def needs_vllm() -> None:
    """Skips where there is no vLLM, which itself says what it hands out."""
    pytest.importorskip("vllm.version", reason="vLLM is not installed (see make test-engines)")


def arguments_for(tiny: Any, folder: Path, kind: str) -> Result:
    config = tiny(kind, num_hidden_layers=2).model.config
    config.architectures = [f"{kind}{'LMHeadModel' if kind == 'GPT2' else 'ForCausalLM'}"]
    config.save_pretrained(folder)
    return slmroute("vllm-args", folder, "--layer", "-1")


def test_of_the_papers_models_all_but_rwkv_hand_out_states(tiny: Any, tmp_path: Path) -> None:
    grid = load_grid(ROOT / "examples" / "paper" / "grid.yaml")
    assert [Path(model.config).stem for model in grid.slms] == list(PAPER)
    without = set()
    for kind in sorted(set(PAPER.values())):
        result = arguments_for(tiny, tmp_path / kind, kind)
        if result.exit_code:
            without.add(kind)
    assert without == {"Rwkv"}
    runs_elsewhere = {Path(m.config).stem for m in grid.slms if m.engine == "transformers"}
    assert runs_elsewhere == {name for name, kind in PAPER.items() if kind in without}


def test_an_architecture_without_states_is_refused(tiny: Any, tmp_path: Path) -> None:
    result = arguments_for(tiny, tmp_path, "GPT2")
    assert result.exit_code == 2
    assert "GPT2LMHeadModel" in result.stderr and "SupportsEagle3" in result.stderr
    assert "--model hf" in result.stderr
