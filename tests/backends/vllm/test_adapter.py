"""A LoRA adapter of the user's engine: it speaks in answers, samples and follow-ups alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from slmroute_plugin.backends import Observed, Question
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import NextTokenProbs, Signal, TokenLogprobs

pytestmark = pytest.mark.slow

RANK, SCALE = 4, 2.0
P_TRUE = NextTokenProbs("Is {answer} right?", ("yes", "no"))
SIGNALS: frozenset[Signal[Any]] = frozenset({TokenLogprobs(), P_TRUE})


def adapted(lm: Any, folder: Path) -> Any:
    """Write an adapter of random weights, and return the model with these added to its own."""
    drawn = torch.Generator().manual_seed(0)
    merged, tensors = copy.copy(lm), {}
    merged._model = copy.deepcopy(lm.model)
    for name, module in merged.model.named_modules():
        if name.endswith(("q_proj", "v_proj")):
            rows, columns = module.weight.shape
            down = torch.randn(RANK, columns, generator=drawn) / columns**0.5
            up = torch.randn(rows, RANK, generator=drawn)
            tensors[f"base_model.model.{name}.lora_A.weight"] = down
            tensors[f"base_model.model.{name}.lora_B.weight"] = up
            module.weight.data += SCALE * up @ down
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": SCALE * RANK,
        "target_modules": ["q_proj", "v_proj"], "bias": "none",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return merged


def observed(lm: Any) -> list[Observed]:
    """Ask three questions."""
    questions = [
        Question(
            prompt=text,
            text=text,
            generation={"until": ["\n\n"], "max_gen_toks": 6, "do_sample": False},
        )
        for text in ("One and two are", "The name of the sea is", "Say it again:")
    ]
    return sorted(backend_for(lm).observe(questions, SIGNALS, 0), key=lambda one: one.index)


@pytest.mark.timeout(1200)
def test_answers_and_probabilities_are_those_of_the_merged_weights(
    start_engine: Any, taught: Callable[..., tuple[str, Any]], tmp_path: Path
) -> None:
    checkpoint, lm = taught({"hello": "there"})
    merged = adapted(lm, tmp_path / "adapter")
    engine = start_engine(checkpoint, lora_local_path=str(tmp_path / "adapter"), max_lora_rank=16)
    for one, other, plain in zip(observed(engine), observed(merged), observed(lm), strict=True):
        assert one.tokens is not None and other.tokens is not None and plain.tokens is not None
        assert one.tokens.ids == other.tokens.ids
        assert one.tokens.logprobs == pytest.approx(other.tokens.logprobs, abs=2e-3)
        assert one.observation[P_TRUE] == pytest.approx(other.observation[P_TRUE], abs=2e-3)
        # The adapter does change what the model says.
        assert one.tokens.logprobs[:1] != pytest.approx(plain.tokens.logprobs[:1], abs=2e-3)
