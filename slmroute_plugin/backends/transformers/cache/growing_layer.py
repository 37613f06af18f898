"""The cached keys and values of one layer, with room to grow in place.

`DynamicLayer` copies all that is cached for every token that comes, and taking out a row copies
all other rows. Here new tokens are written into spare columns, and rows into spare rows.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicLayer

# Columns are made several at a time. More spare columns mean fewer copies and fewer pieces of
# memory that nothing fits into, but more memory that is not used yet.
_FEWEST_SPARE, _MOST_SPARE = 32, 128


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer's keys and values [rows, heads, columns, d], views of buffers that may be larger."""

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: list[Tensor] = []

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> GrowingLayer:
        """Make a layer that holds these keys and values, without a copy."""
        layer = cls()
        layer._hold([keys, values], keys.shape[0], keys.shape[2])
        return layer

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put new tokens behind all rows, and return all keys and values."""
        new = [key_states, value_states]
        if not self._buffers:
            # The states are copied, not held: they are often a transposed view, and columns that
            # do not lie together in memory are slow to read, at every token that comes.
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
        """Copy rows over other rows, and go on with the first `rows` of them.

        Args:
            rows: The number of rows to go on with.
            sources: The rows that are copied, [copies].
            targets: The rows that they are copied to, [copies].
        """
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
        """Copy keys and values to new buffers of this size."""
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
    """Return the spare columns to make: as many as are cached, within bounds."""
    return min(max(columns, _FEWEST_SPARE), _MOST_SPARE)
