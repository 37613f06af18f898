"""The alignment to the right of cached rows that differ in length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slmroute_plugin.backends.transformers.cache.growing_layer import GrowingLayer


def aligned(
    layers: Sequence[GrowingLayer], rows: Sequence[int], starts: Sequence[int], kept: Sequence[int]
) -> list[GrowingLayer]:
    """Gather rows of cached layers as new rows that are aligned to the right.

    Args:
        layers: The cached layers, with keys and values [rows, heads, columns, d].
        rows: The row that each new row is made from; rows may repeat.
        starts: The first column of each new row in the row that it is made from.
        kept: The number of columns of each new row.

    Returns:
        For each layer, keys and values [new rows, heads, max(kept), d]. The columns before a
        row's first token are padding.
    """
    width = max(kept, default=0)
    # Column c of a new row comes from column c + shift of the old row.
    shifts = [start + keep - width for start, keep in zip(starts, kept, strict=True)]
    sources = torch.tensor(rows)
    if len(set(shifts)) == 1 and shifts[0] >= 0:
        window = slice(shifts[0], shifts[0] + width)
        return [
            GrowingLayer.of(
                *(
                    states[:, :, window].index_select(0, sources.to(states.device))
                    for states in (layer.keys, layer.values)
                )
            )
            for layer in layers
        ]
    columns = torch.arange(width)[None] + torch.tensor(shifts)[:, None]
    # Columns before a row's first token are padding: whatever stands there is masked.
    columns = columns.clamp(min=0)
    return [
        GrowingLayer.of(
            _picked(layer.keys, sources, columns), _picked(layer.values, sources, columns)
        )
        for layer in layers
    ]


def _picked(states: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    heads = torch.arange(states.shape[1], device=states.device)
    rows, columns = rows.to(states.device), columns.to(states.device)
    return states[rows[:, None, None], heads[None, :, None], columns[:, None]]


def stacked(parts: Sequence[Tensor], orders: Sequence[Sequence[int]], columns: int) -> Tensor:
    """Join tensors of rows to one tensor [rows, heads, columns, d], with rows aligned to the right.

    Args:
        parts: The tensors, each [its rows, heads, its columns, d].
        orders: For each tensor, the places of its rows in the result.
        columns: The columns of the result, as many as the widest tensor has, or more.
    """
    first = parts[0]
    rows = sum(len(order) for order in orders)
    shape = (rows, first.shape[1], columns, first.shape[3])
    if len(parts) == 1 and list(orders[0]) == list(range(rows)) and first.shape[2] == columns:
        return first
    whole = first.new_zeros(shape)
    for part, order in zip(parts, orders, strict=True):
        at = torch.tensor(list(order), device=whole.device)
        width = part.shape[2]
        whole[at] = nn.functional.pad(part, (0, 0, columns - width, 0))
    return whole
