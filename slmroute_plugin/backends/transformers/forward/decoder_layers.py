"""The decoder blocks of a transformers model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn


def unwrapped(model: Any) -> Any:
    """Return the model within an adapter's wrapper, or the model itself."""
    base = getattr(model, "get_base_model", None)  # PEFT's wrapper takes *args, **kwargs
    return base() if callable(base) else model


def decoder_layers(model: Any) -> Sequence[nn.Module]:
    """Return the decoder's blocks, in order; an empty list if they are not found.

    The blocks are in the module list that is as long as the config says; a list named after a
    decoder comes first.
    """
    config = model.config.get_text_config(decoder=True)
    count = getattr(config, "num_decoder_layers", None) or getattr(
        config, "num_hidden_layers", None
    )
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == count
        and not any(part in name for part in ("encoder.", "vision", "audio"))
    ]
    lists.sort(key=lambda pair: ("decoder" not in pair[0], pair[0].count(".")))
    return list(lists[0][1]) if lists else []
