"""A key-value cache that branches: many continuations of prefixes that were read once.

Every row's tokens stand in the cache without gaps, aligned to the right, so that masks,
sliding windows and relative positions see what they would see for that row alone. New
tokens are read padded to the right, behind all that is cached, and then aligned again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from slmroute_plugin.backends.transformers.cache.growing_layer import GrowingLayer, stacked
from slmroute_plugin.backends.transformers.forward.length_groups import groups
from slmroute_plugin.backends.transformers.forward.reader import Read, Reader


@dataclass(frozen=True)
class Pick:
    """The first `keep` cached tokens of a row."""

    row: int
    keep: int


class Branches:
    """Rows of cached tokens that can be forked, joined and extended.

    Attributes:
        lengths: how many tokens each row has cached.
    """

    def __init__(self, layers: list[GrowingLayer], lengths: Sequence[int]) -> None:
        self._layers = layers
        self.lengths = list(lengths)

    @classmethod
    def empty(cls, rows: int) -> Branches:
        """Rows with nothing cached."""
        return cls([], [0] * rows)

    @property
    def width(self) -> int:
        """Columns of the cache: the longest row's length, or more."""
        return self._layers[0].keys.shape[2] if self._layers else 0

    def layer(self, index: int) -> GrowingLayer:
        """What one layer cached."""
        return self._layers[index]

    def branch(self, row: int) -> Branches:
        """One row by itself, copied."""
        return self.fork([Pick(row, self.lengths[row])])

    def followed_by(self, other: Branches) -> Branches:
        """Each row's tokens, and behind them those of the same row of `other`.

        Args:
            other: rows of one length.
        """
        if not other.width:
            return self
        layers = [
            GrowingLayer.of(
                torch.cat([one.keys, two.keys], dim=2), torch.cat([one.values, two.values], dim=2)
            )
            for one, two in zip(self._layers, other._layers, strict=True)
        ]
        return Branches(layers, [a + b for a, b in zip(self.lengths, other.lengths, strict=True)])

    def fork(self, picks: Sequence[Pick]) -> Branches:
        """New rows, each a copy of the first tokens of a row; rows may repeat."""
        starts = [self.width - self.lengths[pick.row] for pick in picks]
        return self._aligned(picks, starts)

    def keep(self, rows: Sequence[int]) -> list[int]:
        """Go on with these rows alone, in place; rows may repeat.

        What can stay where it is stays, so that only what moves is copied.

        Returns:
            For each row that there is now, the index into `rows` of what stands in it.
        """
        order: list[int | None] = [None] * len(rows)
        moving: list[int] = []
        for index, row in enumerate(rows):
            if row < len(rows) and order[row] is None:
                order[row] = index
            else:
                moving.append(index)
        free = [row for row, index in enumerate(order) if index is None]
        if self._layers:
            # On the device once, rather than for every layer.
            device = self._layers[0].keys.device
            came = [rows[index] for index in moving]
            sources = torch.tensor(came, dtype=torch.long, device=device)
            targets = torch.tensor(free, dtype=torch.long, device=device)
            for layer in self._layers:
                layer.place(len(rows), sources, targets)
        for row, index in zip(free, moving, strict=True):
            order[row] = index
        settled = [index for index in order if index is not None]
        self.lengths = [self.lengths[rows[index]] for index in settled]
        if (unused := self.width - max(self.lengths, default=0)) > 0:
            for layer in self._layers:
                layer.drop_columns(unused)
        return settled

    @staticmethod
    def join(parts: Sequence[Branches], orders: Sequence[Sequence[int]] | None = None) -> Branches:
        """The rows of all parts, in order, or each part's rows at the places given.

        The parts are used up: layer by layer, so that they never stand beside the whole.
        """
        if orders is None:
            ends = [sum(len(one.lengths) for one in parts[: i + 1]) for i in range(len(parts))]
            orders = [
                range(end - len(part.lengths), end) for part, end in zip(parts, ends, strict=True)
            ]
        lengths = [0] * sum(len(part.lengths) for part in parts)
        for part, order in zip(parts, orders, strict=True):
            for row, length in zip(order, part.lengths, strict=True):
                lengths[row] = length
        width = max((part.width for part in parts), default=0)
        layers = []
        for _ in range(len(parts[0]._layers)):
            pieces = [part._layers.pop(0) for part in parts]
            keys = stacked([piece.keys for piece in pieces], orders, width)
            values = stacked([piece.values for piece in pieces], orders, width)
            layers.append(GrowingLayer.of(keys, values))
        return Branches(layers, lengths)

    def read(
        self,
        reader: Reader,
        picks: Sequence[Pick],
        chunks: Sequence[Sequence[int]],
        *,
        at: Sequence[int] | None = None,
        layers: Sequence[int] = (),
        means: bool = False,
    ) -> tuple[Branches, Read]:
        """Fork, and read one chunk of tokens behind each row, in groups of like length.

        Args:
            picks: where each row branches off.
            chunks: for each row, one token or more.
            at: for each row, the token of its chunk to read at; the last if not given.
            layers: hidden states to return of that token.
            means: whether to return all hidden states averaged over each row's chunk.
        """
        orders = groups([len(chunk) for chunk in chunks], reader.a_pass, reader.most_in_a_pass)
        parts: list[Branches] = []
        reads: list[Read] = []
        for order in orders:
            part = self.fork([picks[row] for row in order])
            read = part.extend(
                reader,
                [chunks[row] for row in order],
                at=None if at is None else [at[row] for row in order],
                layers=layers,
                means=means,
            )
            parts.append(part)
            reads.append(read)
        return Branches.join(parts, orders), Read.join(reads, orders)

    def extend(
        self,
        reader: Reader,
        chunks: Sequence[Sequence[int]],
        *,
        at: Sequence[int] | None = None,
        layers: Sequence[int] = (),
        means: bool = False,
    ) -> Read:
        """Read one chunk of tokens behind each row, in place; return what its last token gives.

        Args:
            chunks: for each row, one token or more.
            at: for each row, another token of its chunk to read at.
            layers: hidden states to return of that token.
            means: whether to return all hidden states averaged over each row's chunk.
        """
        device = reader.device
        sizes = [len(chunk) for chunk in chunks]
        longest, width = max(sizes), self.width
        # Everything else is made on the device: only this and the two lengths are sent there.
        ids = torch.tensor(
            [[*chunk, *[chunk[-1]] * (longest - len(chunk))] for chunk in chunks], device=device
        )
        columns = torch.arange(width + longest, device=device)
        lengths = torch.tensor(self.lengths, device=device)
        size = torch.tensor(sizes, device=device)
        mask = (columns >= (width - lengths)[:, None]) & (columns < (width + size)[:, None])
        own = torch.arange(longest, device=device)
        offsets = torch.minimum(own[None], (size - 1)[:, None])
        cache: Any = self.as_cache()
        read = reader(
            size - 1 if at is None else torch.tensor(list(at), device=device),
            layers=layers,
            mean_over=own < size[:, None] if means else None,
            positions=lengths[:, None] + offsets,
            input_ids=ids,
            attention_mask=mask.long(),
            past_key_values=cache,
            use_cache=True,
        )
        self._layers = cache.layers
        if min(sizes) < longest:
            starts = [width - length for length in self.lengths]
            picks = [
                Pick(i, n + m) for i, (n, m) in enumerate(zip(self.lengths, sizes, strict=True))
            ]
            self._layers = self._aligned(picks, starts)._layers
        self.lengths = [n + m for n, m in zip(self.lengths, sizes, strict=True)]
        return read

    def _aligned(self, picks: Sequence[Pick], starts: Sequence[int]) -> Branches:
        """Rows made of `keep` columns from each start, aligned to the right."""
        kept = [pick.keep for pick in picks]
        width = max(kept, default=0)
        # Column c of a new row comes from column c + shift of the old one.
        shifts = [start + keep - width for start, keep in zip(starts, kept, strict=True)]
        rows = torch.tensor([pick.row for pick in picks])
        if len(set(shifts)) == 1 and shifts[0] >= 0:
            window = slice(shifts[0], shifts[0] + width)
            layers = [
                GrowingLayer.of(
                    *(
                        states[:, :, window].index_select(0, rows.to(states.device))
                        for states in (layer.keys, layer.values)
                    )
                )
                for layer in self._layers
            ]
        else:
            columns = torch.arange(width)[None] + torch.tensor(shifts)[:, None]
            # Columns before a row's first token are padding: whatever stands there is masked.
            columns = columns.clamp(min=0)
            layers = [
                GrowingLayer.of(
                    _picked(layer.keys, rows, columns), _picked(layer.values, rows, columns)
                )
                for layer in self._layers
            ]
        return Branches(layers, kept)

    def as_cache(self) -> Any:
        """A cache for the model, which holds these rows and takes what comes behind them."""
        # Built without the config: layers with a sliding window would otherwise drop tokens
        # that a shorter branch still needs; the window itself is the mask's doing.
        cache: Any = DynamicCache()
        cache.layer_class_to_replicate = GrowingLayer
        cache.layers = list(self._layers)
        return cache


def _picked(states: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    heads = torch.arange(states.shape[1], device=states.device)
    rows, columns = rows.to(states.device), columns.to(states.device)
    return states[rows[:, None, None], heads[None, :, None], columns[:, None]]
