"""Which models' caches can do what."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from slmroute_plugin.backends.transformers.capabilities import longest_shared
from slmroute_plugin.backends.transformers.fingerprint import fingerprint
from slmroute_plugin.backends.transformers.forward.reader import Reader

GEMMA = {"sliding_window": 8, "head_dim": 8, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    ("kind", "changes", "longest"),
    [
        ("Llama", {"num_key_value_heads": 2}, sys.maxsize),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 8}, sys.maxsize),
        ("Gemma3Text", GEMMA, 8),
        ("Mistral", {"sliding_window": 7, "num_key_value_heads": 2}, 7),
        ("Llama", {"attn_implementation": "eager"}, 0),
        ("Llama", {"dtype": torch.bfloat16}, sys.maxsize),
        ("Llama", {"dtype": torch.float16}, sys.maxsize),
        ("Llama", {"dtype": torch.float64}, 0),
        ("Gemma2", GEMMA, 0),
        ("Bloom", {}, 0),
        ("Mpt", {"d_model": 32, "n_heads": 4, "n_layers": 10}, 0),
    ],
)
def test_prefixes_are_shared_up_to_where_attention_is_to_all_of_them(
    tiny: Any, kind: str, changes: dict[str, Any], longest: int
) -> None:
    lm = tiny(kind, **changes)
    if "dtype" in changes:
        lm.model.to(changes["dtype"])
    before = fingerprint(lm)
    assert longest_shared(Reader(lm.model)) == longest
    assert fingerprint(lm) == before
