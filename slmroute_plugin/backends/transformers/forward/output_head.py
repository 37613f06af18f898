"""The output head, computed in float32 whatever the model's dtype.

Half precision rounds logits to steps (of 1/8 from 16 to 32, in bfloat16), which makes ties and
moves probabilities. The states that the head reads stay as they are, in the model's own dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

# The words in a block of the output head. MKL takes longer for the whole vocabulary at once:
# 157 in place of 119 ms for 224 rows of 576 numbers and 49,152 words.
WORDS = 1024
_HALF = (torch.bfloat16, torch.float16)


def logits_dtype(model: Any, autocast: torch.dtype | None) -> torch.dtype:
    """Return the dtype of a model's own logits, by which it chooses the likeliest token."""
    weight = getattr(model.get_output_embeddings(), "weight", None)
    own = weight.dtype if isinstance(weight, Tensor) else model.dtype
    return autocast or own


@contextmanager
def float32_logits(model: Any) -> Iterator[None]:
    """Let a plain output head give float32 logits within a `with` block.

    On a CPU, words are computed in blocks. A head that is quantised, has an adapter or is moved
    between devices gives its own logits, and so does that of a model that caps them: how such a
    model rounds what it caps decides which token is the likeliest.
    """
    head = model.get_output_embeddings()
    if not _is_plain(head) or _caps_logits(model):
        yield
        return
    head.forward = partial(_float32_forward, head)
    try:
        yield
    finally:
        del head.forward


def _is_plain(head: Any) -> bool:
    weight = getattr(head, "weight", None)
    if type(head) is not nn.Linear or "forward" in head.__dict__ or not isinstance(weight, Tensor):
        return False
    on_cpu = weight.device.type == "cpu" and weight.dtype == torch.float32
    return weight.device.type != "meta" and (
        on_cpu or weight.dtype in _HALF or torch.is_autocast_enabled(weight.device.type)
    )


def _caps_logits(model: Any) -> bool:
    config = model.config.get_text_config(decoder=True)
    return getattr(config, "final_logit_softcapping", None) is not None


def _float32_forward(head: nn.Linear, states: Tensor) -> Tensor:
    """Return states [..., d] times the head's weights in float32: [..., vocabulary]."""
    rows = states.flatten(0, -2)
    weight = head.weight.detach()
    with torch.autocast(device_type=weight.device.type, enabled=False):
        if weight.device.type == "cuda" and rows.dtype == weight.dtype and _mm_gives_float32():
            give: Any = torch.mm
            logits: Tensor = give(rows, weight.t(), out_dtype=torch.float32)
        elif weight.device.type == "cuda" and weight.dtype == torch.float32:
            logits = torch.mm(rows.float(), weight.t())
        else:
            logits = _times_blocks(rows.float(), weight)
        if head.bias is not None:
            logits += head.bias.detach().float()
    return logits.view(*states.shape[:-1], -1)


def _times_blocks(rows: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows [rows, d] with the transpose of a [vocabulary, d] matrix, block by block."""
    logits = rows.new_empty(len(rows), len(weight))
    for block, out in zip(
        torch.split(weight, WORDS), torch.split(logits, WORDS, dim=1), strict=True
    ):
        torch.mm(rows, block.float().t(), out=out)
    return logits


@cache
def _mm_gives_float32() -> bool:
    """Tell whether this torch multiplies half precision to float32 on a GPU."""
    try:
        one = torch.ones(16, 16, dtype=torch.bfloat16, device="cuda")
        give: Any = torch.mm
        give(one, one, out_dtype=torch.float32)
    except (RuntimeError, TypeError):
        return False
    return True
