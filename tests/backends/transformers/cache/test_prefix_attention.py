"""That attention put together of parts is attention to all of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from slmroute_plugin.backends.transformers.cache.prefix_attention import Partial, attention


@pytest.mark.parametrize(
    ("way", "dtype", "tolerance"),
    [
        (Partial.of, torch.float32, 1e-5),
        (Partial.by_products, torch.float32, 1e-5),
        (Partial.of, torch.bfloat16, 3e-2),
    ],
)
@given(
    before=st.integers(1, 9),
    behind=st.integers(1, 9),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_two_parts_joined_are_attention_to_both(
    way: Callable[..., Partial],
    dtype: torch.dtype,
    tolerance: float,
    before: int,
    behind: int,
    scale: float,
    seed: int,
) -> None:
    draw = torch.Generator().manual_seed(seed)
    query = torch.randn(2, 3, 4, 8, generator=draw, dtype=dtype)
    shape = (2, 3, before + behind, 8)
    keys, values = (torch.randn(shape, generator=draw, dtype=dtype) for _ in range(2))
    one = Partial.of(query, keys[:, :, :before], values[:, :, :before], scale)
    joined = one.joined(way(query, keys[:, :, before:], values[:, :, before:], scale))
    assert joined.dtype == dtype
    exact = [states.double() for states in (query, keys, values)]
    whole = scaled_dot_product_attention(*exact, scale=scale)
    # A weight is as wrong, relatively, as its score is absolutely.
    largest = float((scale * exact[0] @ exact[1].mT).abs().max())
    allowed = tolerance + 4 * torch.finfo(torch.float32).eps * largest
    assert torch.allclose(joined.double(), whole, atol=allowed)


def test_what_the_bias_forbids_is_not_attended_to() -> None:
    query, keys, values = torch.ones(1, 1, 1, 2), torch.ones(1, 1, 3, 2), torch.ones(1, 1, 3, 2)
    values[0, 0, 0] = 100
    bias = torch.tensor([-torch.inf, 0, 0]).view(1, 1, 1, 3)
    partial = Partial.of(query, keys, values, 1.0, bias)
    assert partial.attended.tolist() == [[[[1.0, 1.0]]]]
    assert partial.logsumexp.item() == pytest.approx(2 + math.log(2))


@pytest.mark.parametrize("unknown", ["softcap", "s_aux", "position_bias"])
def test_other_kinds_of_attention_are_refused(unknown: str) -> None:
    states = torch.ones(1, 1, 1, 2)
    with pytest.raises(NotImplementedError):
        attention(None, states, states, states, None, prefix_groups=[], **{unknown: states})
