"""The fingerprint of a transformers model: weights, configuration, tokenizer and numerics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
import transformers
from torch import Tensor

from slmroute_plugin.backends.tokenizer_digest import tokenizer_digest

_PARTS = 64


def fingerprint(lm: Any) -> dict[str, Any]:
    """Return all that determines an answer of lm-eval's `HFLM`, besides the question.

    The weights count as they are in memory, whatever name they came under.
    """
    model = lm.model
    config = json.loads(model.config.to_json_string(use_diff=False))
    # Where a checkpoint lies says nothing of what is in it.
    config.pop("_name_or_path", None)
    return {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "backend": lm.backend,
        "config": config,
        "attention": getattr(model.config, "_attn_implementation", None),
        "adapters": str(getattr(model, "peft_config", None)),
        "end": getattr(getattr(model, "generation_config", None), "eos_token_id", None),
        "weights": weights_digest(model),
        "dtype": str(model.dtype),
        "mixed_precision": str(lm.mixed_precision_dtype),
        "device": str(lm.device).partition(":")[0],
        "tokenizer": tokenizer_digest(lm.tokenizer),
        "chat_template": lm.chat_template_args,
        "add_bos_token": getattr(lm, "add_bos_token", None),
        "think_end": lm.think_end_token,
        "context": lm.max_length,
        "default_max_tokens": lm.max_gen_toks,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def weights_digest(model: torch.nn.Module) -> str:
    """Return a SHA-256 over names, shapes and types of all weights, and over sums of their bits.

    The bits of each tensor are summed in 64 parts, as integers and therefore exactly: one
    changed weight changes the digest, at the cost of reading the weights once.
    """
    digest = hashlib.sha256()
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        for total in _sums(tensor):
            digest.update(total.to_bytes(8, "little", signed=True))
    return digest.hexdigest()


def _sums(tensor: Tensor) -> Iterator[int]:
    if tensor.is_meta:  # offloaded: its values are not here to be read
        return
    flat = tensor.detach().contiguous().reshape(-1)
    flat = flat.view(torch.uint8)
    if flat.numel() % 4 == 0 and flat.storage_offset() % 4 == 0:
        flat = flat.view(torch.int32)
    for part in flat.chunk(_PARTS):
        yield int(part.sum(dtype=torch.int64))
