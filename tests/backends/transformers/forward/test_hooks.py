"""That an output head narrowed to one position gives what it gives there, and is left as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from slmroute_plugin.backends.transformers.forward.hooks import WORDS, Catch, narrowed


class Doubled(nn.Linear):
    """A head that does something of its own."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(states)


def offset(head: nn.Linear) -> nn.Linear:
    """A head whose forward somebody replaced, as accelerate does."""
    plain = head.forward
    head.forward = lambda states: plain(states) + 1  # type: ignore[method-assign]
    return head


HEADS: dict[str, Any] = {
    "blocks": lambda: nn.Linear(8, 2 * WORDS, bias=False),
    "a block and a rest": lambda: nn.Linear(8, WORDS + 3, bias=False),
    "few words": lambda: nn.Linear(8, 5, bias=False),
    "bias": lambda: nn.Linear(8, WORDS + 3),
    "bfloat16": lambda: nn.Linear(8, WORDS + 3, bias=False, dtype=torch.bfloat16),
    "own": lambda: Doubled(8, WORDS + 3, bias=False),
    "replaced": lambda: offset(nn.Linear(8, WORDS + 3, bias=False)),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_narrowed_head_gives_what_it_gives_at_those_positions(kind: str) -> None:
    torch.manual_seed(0)
    head = HEADS[kind]()
    states = torch.randn(3, 4, 8).to(head.weight.dtype)
    at = torch.tensor([3, 0, 2])
    attributes = dict(vars(head))
    with torch.no_grad():
        whole = head(states)
        catch = Catch(at, {9}, None)
        with narrowed(head, catch, 9):
            narrow = head(states)
    assert torch.allclose(narrow[:, 0], whole[[0, 1, 2], at], atol=1e-6)
    assert torch.equal(catch.hidden[9], states[[0, 1, 2], at])
    assert vars(head) == attributes
    with torch.no_grad():
        assert torch.equal(head(states), whole)
