"""The attention of one token a row, where many rows continue the same cached prefix.

A row's token attends to its prefix and to the row's tokens behind it. Attention to a prefix is
computed for all its rows at once, so that the prefix is read once. The two parts are joined by
their softmax weights, as flash attention joins its blocks (Dao et al. 2022; for shared prefixes
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
    """The attention to some of the columns, and its share of the attention to all columns.

    Attributes:
        attended: The weighted values, [..., heads, queries, d].
        logsumexp: The log-sum-exp of the scores, [..., heads, queries], float32.
    """

    attended: Tensor
    logsumexp: Tensor

    @classmethod
    def of(
        cls, query: Tensor, keys: Tensor, values: Tensor, scale: float, bias: Tensor | None = None
    ) -> Partial:
        """Attend to keys and values, both [rows, heads, columns, d], for each query.

        The queries are [rows, heads, queries, d].

        Raises:
            RuntimeError: If torch's attention on CPUs does not take the shapes.
        """
        # This is what `scaled_dot_product_attention` runs on a CPU; only this operator returns
        # the log-sum-exp.
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return cls(*flash(query, keys, values, attn_mask=bias, scale=scale))

    @classmethod
    def by_products(cls, query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Partial:
        """Attend by matrix products, which is faster on some CPUs with few queries in float32.

        The shapes are those of `of`.
        """
        scores = torch.matmul(query * scale, keys.transpose(-1, -2))
        logsumexp = scores.logsumexp(dim=-1)
        weights = scores.sub_(logsumexp.unsqueeze(-1)).exp_()
        return cls(torch.matmul(weights, values), logsumexp)

    def joined(self, other: Partial) -> Tensor:
        """Return the attention to the columns of both parts."""
        share = torch.sigmoid(self.logsumexp - other.logsumexp).unsqueeze(-1)
        whole = torch.lerp(other.attended.float(), self.attended.float(), share)
        return whole.to(self.attended.dtype)


@dataclass(frozen=True)
class PrefixGroup:
    """A group of prefixes of similar length, and the rows that continue each.

    Attributes:
        prefixes: The cached prefixes.
        bias: The bias of the scores, [prefixes, 1, 1, columns]: 0 at a prefix's tokens, minus
            infinity before them.
        members: The rows that continue each prefix, [prefixes, most]; -1 for no further row.
    """

    prefixes: Branches
    bias: Tensor
    members: Tensor

    @classmethod
    def of(
        cls, prefixes: Branches, rows: Sequence[Sequence[int]], device: torch.device
    ) -> PrefixGroup:
        """Make a group of prefixes and the rows that continue each; there is at least one row."""
        most = max(len(members) for members in rows)
        padded = [[*members, *[-1] * (most - len(members))] for members in rows]
        begins = prefixes.width - torch.tensor(prefixes.lengths, device=device)
        before = torch.arange(prefixes.width, device=device) < begins[:, None]
        bias = torch.zeros(before.shape, device=device).masked_fill(before, -torch.inf)
        return cls(prefixes, bias[:, None, None], torch.tensor(padded, device=device))

    def attend(self, layer: int, query: Tensor, scale: float, out: Partial) -> None:
        """Compute the members' attention to their prefixes, and write it to `out`.

        Args:
            layer: The index of the layer.
            query: The queries of all rows, [rows, heads, queries, d].
            scale: The scale of the scores.
            out: The attention of all rows, each at its place; its last row is one more than there
                are rows, and takes what the padding of `members` attends to.
        """
        _, heads, queries, d = query.shape
        count, most = self.members.shape
        head = torch.arange(heads, device=query.device)
        # The padding of `members` reads the last row's queries, and writes to the row behind it.
        places = (self.members[:, None] * heads + head[:, None]).flatten()
        cached = self.prefixes.layer(layer)
        partial = Partial.of(
            query.reshape(-1, queries, d)[places].view(count, heads, most * queries, d),
            cached.keys,
            cached.values,
            scale,
            self.bias.to(query.dtype).expand(-1, -1, most * queries, -1),
        )
        out.attended.view(-1, queries, d)[places] = partial.attended.reshape(-1, queries, d)
        out.logsumexp.view(-1, queries)[places] = partial.logsumexp.reshape(-1, queries)


def attended_prefixes(
    groups: Sequence[PrefixGroup], layer: int, query: Tensor, scale: float
) -> Partial:
    """Attend with every row, [rows, heads, queries, d], to its prefix, which is in a group."""
    rows, *others = query.shape
    whole = Partial(
        query.new_empty(rows + 1, *others),
        query.new_empty(rows + 1, *others[:2], dtype=torch.float32),
    )
    for group in groups:
        group.attend(layer, query, scale, whole)
    return Partial(*(part[:rows] for part in whole))


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
    """Attend with one token a row, for transformers' `AttentionInterface`.

    Args:
        module: The model's attention module.
        query: The queries, [rows, heads, 1, d].
        key: The keys of each row's tokens behind its prefix, [rows, key-value heads, columns, d].
        value: The values of the same tokens, of the same shape.
        attention_mask: None; masks are not supported.
        prefix_groups: The groups of prefixes, an argument that the model's forward hands on.
        scaling: The scale of the scores; by default d^-0.5.

    Returns:
        The attention, [rows, 1, heads, d], and None in place of the weights.

    Raises:
        NotImplementedError: If a kind of attention is asked for that is not supported here.
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
    """Let transformers call `attention` in a `with` block."""
    config = model.config.get_text_config(decoder=True)
    before = config._attn_implementation
    AttentionInterface.register(_NAME, attention)
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before
