"""A model's final norm, out of its checkpoint: engines hand out what goes into it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from slmroute_plugin.observation import Missing

# What the families of models call it.
_NAMES = ("norm", "final_layernorm", "final_layer_norm", "ln_f")


def final_norm(
    model: str, revision: str | None, *, trust_remote_code: bool = False
) -> Callable[[Tensor], Tensor] | Missing:
    """Read a model's final norm out of its checkpoint.

    Args:
        model: its name or folder, as vLLM was given it; its files are there already.
        revision: of the model.
        trust_remote_code: whether the model's own code may run.

    Returns:
        A function from [..., d] before the norm to [..., d] behind it, in float32; or why there
        is none.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(model, **options)
        with torch.device("meta"):
            whole = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=trust_remote_code
            )
        named = _norm_in(whole)
        norm = copy.deepcopy(named.module).to_empty(device="cpu").float()
        norm.load_state_dict(_weights(model, revision, named.name, norm))
    except (AttributeError, ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        return Missing(f"the model's final norm cannot be read ({error})")
    norm.requires_grad_(False)

    def apply(states: Tensor) -> Tensor:
        normed: Tensor = norm(states.float())
        return normed

    return apply


class _Named(NamedTuple):
    """A part of a model, and its name within the whole."""

    name: str
    module: nn.Module


def _norm_in(whole: Any) -> _Named:
    decoder = whole.get_decoder() if hasattr(whole, "get_decoder") else whole.base_model
    for name in _NAMES:
        norm = getattr(decoder, name, None)
        if isinstance(norm, nn.Module):
            return next(_Named(path, one) for path, one in whole.named_modules() if one is norm)
    raise AttributeError(f"{type(decoder).__name__} has none of {', '.join(_NAMES)}")


def _weights(model: str, revision: str | None, name: str, norm: nn.Module) -> dict[str, Tensor]:
    from safetensors import safe_open

    weights = {}
    for part in norm.state_dict():
        full = f"{name}.{part}"
        with safe_open(_file_with(model, revision, full), "pt") as file:
            weights[part] = file.get_tensor(full).float()
    return weights


def _file_with(model: str, revision: str | None, weight: str) -> Path:
    index = _file(model, revision, "model.safetensors.index.json")
    name = "model.safetensors"
    if index is not None:
        name = json.loads(index.read_text(encoding="utf-8"))["weight_map"][weight]
    file = _file(model, revision, name)
    if file is None:
        raise FileNotFoundError(f"{model} has no {name}")
    return file


def _file(model: str, revision: str | None, name: str) -> Path | None:
    from transformers.utils.hub import cached_file

    folder = Path(model)
    if folder.is_dir():
        return folder / name if (folder / name).is_file() else None
    found = cached_file(
        model,
        name,
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
    )
    return Path(found) if found else None
