"""One layer's cached keys and values, with room to grow in place.

`DynamicLayer` copies all that is cached for every token that comes, and taking out one row
copies all others. Here new tokens are written into spare columns, and rows into spare rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicLayer

# Columns made in one go. More of them are fewer copies, and less memory left in pieces that
# nothing fits into; but more memory that is not used yet.
_FEWEST_SPARE, _MOST_SPARE = 32, 128


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values [rows, heads, columns, d], views of buffers that may be larger."""

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: list[Tensor] = []

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> GrowingLayer:
        """A layer that holds these, without a copy."""
        layer = cls()
        layer._hold([keys, values], keys.shape[0], keys.shape[2])
        return layer

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put new tokens behind all rows, and return everything."""
        new = [key_states, value_states]
        if not self._buffers:
            # Copied, not held: what a model hands over is often a transposed view, and rows of
            # columns that do not lie together are slow to read, at every token that comes.
            self._hold([states[:, :, :0] for states in new], key_states.shape[0], 0)
        rows, columns = self.keys.shape[0], self.keys.shape[2]
        end = columns + key_states.shape[2]
        if end > self._buffers[0].shape[2]:
            self._move(rows, end + (_spare(columns) if columns else 0))
        for buffer, states in zip(self._buffers, new, strict=True):
            buffer[:rows, :, columns:end] = states
        self._view(rows, end)
        return self.keys, self.values

    def place(self, rows: int, sources: Tensor, targets: Tensor) -> None:
        """Copy rows over others, and go on with the first `rows` of them."""
        columns = self.keys.shape[2]
        if rows > self._buffers[0].shape[0]:
            self._move(rows + rows // 4, columns + _spare(columns))
        if len(targets):
            came, went = sources.to(self.device), targets.to(self.device)
            for buffer in self._buffers:
                buffer[went, :, :columns] = buffer[came, :, :columns]
        self._view(rows, columns)

    def drop_columns(self, count: int) -> None:
        """Forget the first columns, which are padding in every row."""
        self._buffers = [buffer[:, :, count:] for buffer in self._buffers]
        self._view(self.keys.shape[0], self.keys.shape[2] - count)

    def _move(self, rows: int, columns: int) -> None:
        """Into new buffers of this size."""
        held = [self.keys, self.values]
        for index, states in enumerate(held):
            buffer = states.new_empty((rows, states.shape[1], columns, states.shape[3]))
            buffer[: states.shape[0], :, : states.shape[2]] = states
            self._buffers[index] = buffer

    def _hold(self, buffers: list[Tensor], rows: int, columns: int) -> None:
        self.dtype, self.device = buffers[0].dtype, buffers[0].device
        self.is_initialized = True
        self._buffers = buffers
        self._view(rows, columns)

    def _view(self, rows: int, columns: int) -> None:
        self.keys, self.values = (buffer[:rows, :, :columns] for buffer in self._buffers)


def _spare(columns: int) -> int:
    """Columns to make beyond those needed: as many as there are, within bounds."""
    return min(max(columns, _FEWEST_SPARE), _MOST_SPARE)


def stacked(parts: Sequence[Tensor], orders: Sequence[Sequence[int]], columns: int) -> Tensor:
    """[rows, heads, columns, d] of parts aligned to the right, each part's rows at `orders`."""
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
