"""Attention of one token a row, where many rows continue the same cached prefix.

A row's token attends to its prefix and to what the row has behind it. The first is done for all
rows of a prefix at once, so that the prefix is read once; the two parts are joined by their
softmax weights, as flash attention joins its blocks (Dao et al. 2022; for shared prefixes
Juravsky et al. 2024, "Hydragen").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface

from slmroute_plugin.backends.transformers.cache.branches import Branches

_NAME = "slmroute_prefix"


class Partial(NamedTuple):
    """Attention to some of the columns, and how much of all attention that would be.

    Attributes:
        attended: the values, weighted, [..., heads, queries, d].
        logsumexp: of the scores, [..., heads, queries], float32.
    """

    attended: Tensor
    logsumexp: Tensor

    @classmethod
    def of(
        cls, query: Tensor, keys: Tensor, values: Tensor, scale: float, bias: Tensor | None = None
    ) -> Partial:
        """Of queries [rows, heads, queries, d] to keys and values [rows, heads, columns, d].

        Raises:
            RuntimeError: shapes that torch's attention on CPUs does not take.
        """
        # What `scaled_dot_product_attention` runs on a CPU: it alone tells the log-sum-exp.
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return cls(*flash(query, keys, values, attn_mask=bias, scale=scale))

    @classmethod
    def by_products(cls, query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Partial:
        """The same by matrix products: with few queries, in float32, quicker on some CPUs."""
        scores = torch.matmul(query * scale, keys.transpose(-1, -2))
        logsumexp = scores.logsumexp(dim=-1)
        weights = scores.sub_(logsumexp.unsqueeze(-1)).exp_()
        return cls(torch.matmul(weights, values), logsumexp)

    def joined(self, other: Partial) -> Tensor:
        """Attention to the columns of both."""
        share = torch.sigmoid(self.logsumexp - other.logsumexp).unsqueeze(-1)
        whole = torch.lerp(other.attended.float(), self.attended.float(), share)
        return whole.to(self.attended.dtype)


@dataclass(frozen=True)
class PrefixGroup:
    """Prefixes of like length, and the rows that continue each.

    Attributes:
        prefixes: cached.
        bias: [prefixes, 1, 1, columns]: 0 where a prefix has a token, minus infinity before it.
        members: [prefixes, most], the rows of each; -1 where it has fewer.
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
        members = [[*each, *[-1] * (most - len(each))] for each in rows]
        begins = prefixes.width - torch.tensor(prefixes.lengths, device=device)
        before = torch.arange(prefixes.width, device=device) < begins[:, None]
        bias = torch.zeros(before.shape, device=device).masked_fill(before, -torch.inf)
        return cls(prefixes, bias[:, None, None], torch.tensor(members, device=device))

    def attend(self, layer: int, query: Tensor, scale: float, found: Partial) -> None:
        """Attention of the members, among rows [rows, heads, queries, d], to their prefixes.

        Args:
            found: takes it, each row's at its place; one row more than there are, at the end.
        """
        _, heads, queries, d = query.shape
        count, most = self.members.shape
        head = torch.arange(heads, device=query.device)
        # A prefix's queries by head; those of -1 are the last row's, and go to the one behind it.
        places = (self.members[:, None] * heads + head[:, None]).flatten()
        cached = self.prefixes.layer(layer)
        partial = Partial.of(
            query.reshape(-1, queries, d)[places].view(count, heads, most * queries, d),
            cached.keys,
            cached.values,
            scale,
            self.bias.to(query.dtype).expand(-1, -1, most * queries, -1),
        )
        found.attended.view(-1, queries, d)[places] = partial.attended.reshape(-1, queries, d)
        found.logsumexp.view(-1, queries)[places] = partial.logsumexp.reshape(-1, queries)


def attended_prefixes(
    groups: Sequence[PrefixGroup], layer: int, query: Tensor, scale: float
) -> Partial:
    """Attention of every row [rows, heads, queries, d] to its prefix, which is in a group."""
    rows, *others = query.shape
    found = Partial(
        query.new_empty(rows + 1, *others),
        query.new_empty(rows + 1, *others[:2], dtype=torch.float32),
    )
    for group in groups:
        group.attend(layer, query, scale, found)
    return Partial(*(part[:rows] for part in found))


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    prefix_groups: Sequence[PrefixGroup],
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
        prefix_groups: an argument of the model's forward that it hands on.

    Raises:
        NotImplementedError: attention of a kind that is not done here.
    """
    if attention_mask is not None or query.shape[2] != 1:
        raise NotImplementedError("attention masks, and more than one token a row")
    if softcap is not None or s_aux is not None or position_bias is not None:
        raise NotImplementedError("soft caps, sinks and position biases")
    rows, heads, _, d = query.shape
    scale = d**-0.5 if scaling is None else scaling
    grouped = query.view(rows, key.shape[1], heads // key.shape[1], d)
    prefixes = attended_prefixes(prefix_groups, module.layer_idx, grouped, scale)
    of_own = Partial.by_products if query.dtype == torch.float32 else Partial.of
    whole = prefixes.joined(of_own(grouped, key, value, scale))
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
