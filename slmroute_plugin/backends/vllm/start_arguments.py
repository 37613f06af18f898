"""What a vLLM engine is started with so that it hands out hidden states, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.backends.vllm.engine_facts import CONNECTOR, EXTRACTION

_ITEM_BYTES = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2}


def hidden_state_arguments(layers: Iterable[int], folder: Path) -> dict[str, Any]:
    """Return what to add to lm-eval's `--model_args`.

    Args:
        layers: indices of hidden states, from 0 (the embedding) to the number of blocks.
        folder: where the engine writes states and this process reads them; in memory at best.
    """
    draft = {"hf_config": {"eagle_aux_hidden_state_layer_ids": sorted(set(layers))}}
    return {
        "speculative_config": {
            "method": EXTRACTION,
            "num_speculative_tokens": 1,
            "draft_model_config": draft,
        },
        "kv_transfer_config": {
            "kv_connector": CONNECTOR,
            "kv_connector_module_path": "slmroute_plugin.backends.vllm.connector",
            "kv_role": "kv_producer",
            "kv_connector_extra_config": {
                "shared_storage_path": str(folder),
                "use_synchronization_lock": True,
            },
        },
    }


class CacheCost(NamedTuple):
    """Bytes of an engine's cache for each token.

    Attributes:
        attention: keys and values, which are there anyway.
        states: the hidden states.
    """

    attention: int
    states: int


def cache_cost(config: Any, layers: int, dtype: str | None = None) -> CacheCost:
    """Return what hidden states add to the cache of a model.

    Args:
        config: of transformers.
        layers: how many hidden states are handed out.
        dtype: that the engine runs in; None or `auto` for the checkpoint's own.
    """
    text = config.get_text_config()
    name = str(dtype if dtype not in (None, "auto") else text.dtype or "bfloat16")
    item = _ITEM_BYTES.get(name.removeprefix("torch."), 2)
    heads = text.num_attention_heads
    key_heads = getattr(text, "num_key_value_heads", None) or heads
    head = getattr(text, "head_dim", None) or text.hidden_size // heads
    return CacheCost(
        attention=2 * text.num_hidden_layers * key_heads * head * item,
        states=layers * text.hidden_size * item,
    )
