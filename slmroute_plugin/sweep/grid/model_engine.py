"""Which engine runs a grid's local models: transformers or vLLM, by one key of the grid file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from slmroute_plugin.backends.extracted_states.layers import state_index
from slmroute_plugin.backends.vllm.start_arguments import hidden_state_arguments
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.settings.parsing import parse_settings

ModelEngine = Literal["transformers", "vllm"]

# Arguments that lm-eval's classes for transformers and for vLLM take under the same name.
_SAME = (
    "add_bos_token",
    "chat_template_args",
    "dtype",
    "enable_thinking",
    "max_length",
    "prefix_token_id",
    "pretrained",
    "revision",
    "think_end_token",
    "tokenizer",
    "trust_remote_code",
)
# lm-eval's names for its class for transformers.
_TRANSFORMERS = ("hf", "huggingface", "hf-auto")
_RENAMED = {"peft": "lora_local_path"}


def on_engine(
    config: Mapping[str, Any], engine: ModelEngine, vllm_args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a model's lm-eval config as the engine runs it.

    Files of transformers models (`model: hf`) say how vLLM runs them, too; any other is left as
    it is.

    Args:
        config: of the model's file.
        engine: that the grid asks for.
        vllm_args: further arguments of vLLM's engine.

    Raises:
        ValueError: an argument that vLLM has no counterpart of.
    """
    if engine == "transformers" or config.get("model", "hf") not in _TRANSFORMERS:
        return dict(config)
    given: Mapping[str, Any] = config["model_args"]
    if strays := [name for name in given if name not in (*_SAME, *_RENAMED)]:
        raise ValueError(
            f"model_args.{strays[0]} has no counterpart in vLLM: take it out, give this model "
            f"`engine: transformers` in the grid, or a file of its own with `model: vllm`. "
            f"{did_you_mean(strays[0], _SAME)}"
        )
    arguments = {_RENAMED.get(name, name): value for name, value in given.items()}
    # lm-eval asks its vLLM for one batch size; vLLM finds out what fits by itself.
    arguments |= vllm_args or {}
    changed = {"model": "vllm", "model_args": arguments, "batch_size": "auto"}
    return {name: value for name, value in config.items() if name != "device"} | changed


def with_hidden_states(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a vLLM model's config with what hands out the hidden state that probes learn from.

    Which layer that is depends on the model, whose configuration is read here: where the run is.
    A file that starts the engine in a way of its own, and settings without `hidden_states`, are
    left as they are.
    """
    arguments = config["model_args"]
    settings = parse_settings((config.get("metadata") or {}).get("slmroute") or {})
    if settings.hidden_states is None or "speculative_config" in arguments:
        return dict(config)
    from transformers import AutoConfig

    model = AutoConfig.from_pretrained(
        arguments["pretrained"],
        revision=arguments.get("revision"),
        trust_remote_code=bool(arguments.get("trust_remote_code")),
    )
    depth = int(model.get_text_config().num_hidden_layers)
    asked = settings.hidden_states.signal()
    layers = sorted({state_index(layer, depth) for layer in asked.layers})
    folder = Path(tempfile.gettempdir()) / "slmroute-hidden-states"
    return dict(config) | {"model_args": arguments | hidden_state_arguments(layers, folder)}
