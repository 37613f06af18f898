"""That attention put together of parts is attention to all of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from slmroute_plugin.backends.transformers.prefix_attention import Partial, attention


@given(
    before=st.integers(1, 9),
    behind=st.integers(1, 9),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_two_parts_joined_are_attention_to_both(
    before: int, behind: int, scale: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    query = scale * torch.randn(2, 3, 4, 8, generator=draw)
    keys, values = (torch.randn(2, 3, before + behind, 8, generator=draw) for _ in range(2))
    parts = [
        Partial.of(query, keys[:, :, columns], values[:, :, columns])
        for columns in (slice(before), slice(before, None))
    ]
    whole = scaled_dot_product_attention(query, keys, values, scale=1.0)
    assert torch.allclose(parts[0].joined(parts[1]), whole, atol=1e-5)


def test_what_the_bias_forbids_is_not_attended_to() -> None:
    query, keys, values = torch.ones(1, 1, 1, 2), torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2)
    values[0, 0, 0] = 100
    bias = torch.tensor([-torch.inf, 0, 0])
    partial = Partial.of(query, keys, values, bias)
    assert (partial.total / partial.weight).tolist() == [[[[1.0, 1.0]]]]


@pytest.mark.parametrize("unknown", ["softcap", "s_aux", "position_bias"])
def test_other_kinds_of_attention_are_refused(unknown: str) -> None:
    states = torch.ones(1, 1, 1, 2)
    with pytest.raises(NotImplementedError):
        attention(None, states, states, states, None, shared_prefixes=None, **{unknown: states})
