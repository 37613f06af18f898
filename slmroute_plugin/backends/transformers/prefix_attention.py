"""Attention of one token a row, where many rows continue the same cached prefix.

A row's token attends to its prefix and to what the row has behind it. The first is done for all
rows of a prefix at once, as one matrix product that reads the prefix once; the two parts are
joined by their softmax weights, as flash attention joins its blocks (Dao et al. 2022; for shared
prefixes Juravsky et al. 2024, "Hydragen").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface

from slmroute_plugin.backends.transformers.branches import Branches

_NAME = "slmroute_prefix"


class Partial(NamedTuple):
    """Attention to some of the columns, not yet divided by the sum of its weights.

    Attributes:
        peak: the largest score, [..., queries, 1].
        weight: the sum of exp(score - peak), [..., queries, 1].
        total: the values, weighted by exp(score - peak), [..., queries, d].
    """

    peak: Tensor
    weight: Tensor
    total: Tensor

    @classmethod
    def of(cls, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Partial:
        """Of scaled queries [..., queries, d] to keys and values [..., columns, d]."""
        scores = torch.matmul(query, keys.transpose(-1, -2))
        if bias is not None:
            scores += bias
        peak = scores.amax(dim=-1, keepdim=True)
        weights = scores.sub_(peak).exp_()
        return cls(peak, weights.sum(dim=-1, keepdim=True), torch.matmul(weights, values))

    def joined(self, other: Partial) -> Tensor:
        """Attention to the columns of both."""
        peak = torch.maximum(self.peak, other.peak)
        one, two = (self.peak - peak).exp_(), (other.peak - peak).exp_()
        total = self.total * one + other.total * two
        return total / (self.weight * one + other.weight * two)


@dataclass(frozen=True)
class PrefixGroup:
    """Prefixes of like length, and the rows that continue each.

    Attributes:
        prefixes: cached.
        bias: [prefixes, 1, 1, columns]: 0 where a prefix has a token, minus infinity before it.
        members: [prefixes, most], the rows of each; where it has fewer, any row.
    """

    prefixes: Branches
    bias: Tensor
    members: Tensor

    @classmethod
    def of(
        cls, prefixes: Branches, rows: Sequence[Sequence[int]], device: torch.device
    ) -> PrefixGroup:
        """These prefixes, and the rows that continue each of them, one at least in all."""
        most = max(len(each) for each in rows)
        members = [[*each, *[0] * (most - len(each))] for each in rows]
        begins = prefixes.width - torch.tensor(prefixes.lengths, device=device)
        before = torch.arange(prefixes.width, device=device) < begins[:, None]
        bias = torch.zeros(before.shape, device=device).masked_fill(before, -torch.inf)
        return cls(prefixes, bias[:, None, None], torch.tensor(members, device=device))

    def attended(self, layer: int, query: Tensor) -> Partial:
        """Attention of rows [rows, heads, queries, d] to their prefixes, in members' order."""
        count, most = self.members.shape
        _, heads, queries, d = query.shape
        grouped = query[self.members.flatten()].view(count, most, heads, queries, d)
        together = grouped.transpose(1, 2).reshape(count, heads, most * queries, d)
        cached = self.prefixes.layer(layer)
        partial = Partial.of(together, cached.keys, cached.values, self.bias)
        return Partial(
            *(
                part.view(count, heads, most, queries, -1)
                .transpose(1, 2)
                .reshape(count * most, heads, queries, -1)
                for part in partial
            )
        )


@dataclass(frozen=True)
class SharedPrefixes:
    """What an attention function needs to know of the prefixes.

    Attributes:
        groups: of prefixes.
        places: [rows], where each row is found in the groups' members, one after the other.
    """

    groups: Sequence[PrefixGroup]
    places: Tensor

    def attended(self, layer: int, query: Tensor) -> Partial:
        """Attention of every row [rows, heads, queries, d] to its prefix."""
        partials = [group.attended(layer, query) for group in self.groups]
        return Partial(*(torch.cat(parts)[self.places] for parts in zip(*partials, strict=True)))


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    shared_prefixes: SharedPrefixes,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention of one token a row, for transformers' `AttentionInterface`.

    Args:
        query: [rows, heads, 1, d].
        key: [rows, key-value heads, columns, d], what each row has behind its prefix.
        value: of the same columns.
        shared_prefixes: an argument of the model's forward that it hands on.

    Raises:
        NotImplementedError: attention of a kind that is not done here.
    """
    if attention_mask is not None or query.shape[2] != 1:
        raise NotImplementedError("attention masks, and more than one token a row")
    if softcap is not None or s_aux is not None or position_bias is not None:
        raise NotImplementedError("soft caps, sinks and position biases")
    rows, heads, _, d = query.shape
    scaled = query * (d**-0.5 if scaling is None else scaling)
    grouped = scaled.view(rows, key.shape[1], heads // key.shape[1], d)
    prefixes = shared_prefixes.attended(module.layer_idx, grouped)
    whole = prefixes.joined(Partial.of(grouped, key, value))
    return whole.reshape(rows, 1, heads, -1), None


@contextmanager
def attending_to_prefixes(model: Any) -> Iterator[None]:
    """Let transformers call `attention` meanwhile."""
    config = model.config.get_text_config(decoder=True)
    before = config._attn_implementation
    AttentionInterface.register(_NAME, attention)
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before
