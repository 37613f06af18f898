"""Teaching a tiny model what to say, so that a test knows its replies by heart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

# Weights by what was learned: several tests of one process teach the same.
_LEARNED: dict[tuple[Any, ...], dict[str, torch.Tensor]] = {}


def teach(lm: Any, replies: Mapping[str, str], steps: int = 400) -> None:
    """Train the weights of a lm-eval `HFLM` until it gives each reply to its user turn.

    Raises:
        AssertionError: it has not learned them.
    """
    tokenizer, model = lm.tokenizer, lm.model
    lesson = (model.config.to_json_string(), tuple(replies.items()))
    if lesson in _LEARNED:
        model.load_state_dict(_LEARNED[lesson])
        return
    rows = []
    for text, reply in replies.items():
        head = list(lm.tok_encode(lm.apply_chat_template([{"role": "user", "content": text}])))
        tail = [*tokenizer.encode(reply, add_special_tokens=False), tokenizer.eos_token_id]
        rows.append((head, tail))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    with torch.enable_grad():
        for _ in range(steps):
            loss = torch.zeros(())
            for head, tail in rows:
                labels = torch.tensor([[-100] * len(head) + tail])
                loss = loss + model(torch.tensor([head + tail]), labels=labels).loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if loss.item() < 0.01 * len(rows):
                break
    model.eval()
    for head, tail in rows:
        with torch.no_grad():
            logits = model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1]
        assert logits.argmax(-1).tolist() == tail
    _LEARNED[lesson] = {name: weight.clone() for name, weight in model.state_dict().items()}
