"""That an output head narrowed to one position gives what it gives there, and is left as it was."""

from __future__ import annotations

import torch
from torch import nn

from slmroute_plugin.backends.transformers.forward.hooks import Catch, narrowed


def test_a_narrowed_head_gives_what_it_gives_at_those_positions() -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, 20)
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
