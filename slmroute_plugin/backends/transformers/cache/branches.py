"""A key-value cache that branches: many continuations of prefixes that were read once.

The tokens of every row stand in the cache without gaps, aligned to the right, so that masks,
sliding windows and relative positions see what they would see for that row alone. New tokens are
read padded to the right, behind all that is cached, and then aligned again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from transformers import DynamicCache

from slmroute_plugin.backends.transformers.cache.alignment import aligned, stacked
from slmroute_plugin.backends.transformers.cache.growing_layer import GrowingLayer
from slmroute_plugin.backends.transformers.forward.length_groups import groups
from slmroute_plugin.backends.transformers.forward.reader import Read, Reader


@dataclass(frozen=True)
class Pick:
    """A choice of the first `keep` cached tokens of a row."""

    row: int
    keep: int


class Branches:
    """A set of rows of cached tokens that can be forked, joined and extended.

    Attributes:
        lengths: The number of tokens that each row has cached.
    """

    def __init__(self, layers: list[GrowingLayer], lengths: Sequence[int]) -> None:
        self._layers = layers
        self.lengths = list(lengths)

    @classmethod
    def empty(cls, rows: int) -> Branches:
        """Make rows with nothing cached."""
        return cls([], [0] * rows)

    @property
    def width(self) -> int:
        """The number of columns of the cache: the longest row's length, or more."""
        return self._layers[0].keys.shape[2] if self._layers else 0

    def layer(self, index: int) -> GrowingLayer:
        """Return what a layer cached."""
        return self._layers[index]

    def branch(self, row: int) -> Branches:
        """Copy a row, by itself."""
        return self.fork([Pick(row, self.lengths[row])])

    def followed_by(self, other: Branches) -> Branches:
        """Return each row's tokens, followed by those of the same row of `other`.

        Args:
            other: The rows to append, all of one length.
        """
        if not other.width:
            return self
        layers = [
            GrowingLayer.of(
                torch.cat([front.keys, back.keys], dim=2),
                torch.cat([front.values, back.values], dim=2),
            )
            for front, back in zip(self._layers, other._layers, strict=True)
        ]
        return Branches(layers, [a + b for a, b in zip(self.lengths, other.lengths, strict=True)])

    def fork(self, picks: Sequence[Pick]) -> Branches:
        """Copy the first tokens of rows to new rows; rows may repeat."""
        starts = [self.width - self.lengths[pick.row] for pick in picks]
        kept = [pick.keep for pick in picks]
        return Branches(aligned(self._layers, [pick.row for pick in picks], starts, kept), kept)

    def keep(self, rows: Sequence[int]) -> list[int]:
        """Go on with these rows alone, in place; rows may repeat.

        A row that can stay where it is stays, so that only rows that move are copied.

        Returns:
            For each row that there is now, the index into `rows` of the row that stands in it.
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
            # The indices are sent to the device once, rather than for every layer.
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
        """Join the rows of all parts, in order, or each part's rows at the places given.

        The parts are used up layer by layer, so that they never stand beside the whole.

        Args:
            parts: The parts, at least one.
            orders: For each part, the places of its rows in the result; by default in order.
        """
        if orders is None:
            ends = accumulate(len(part.lengths) for part in parts)
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
        """Fork, and read a chunk of tokens behind each row, in groups of similar length.

        Args:
            reader: The reader of the model.
            picks: The row and the place where each new row branches off.
            chunks: For each new row, one token or more.
            at: For each new row, the token of its chunk to read at; by default the last.
            layers: The hidden states of that token to return.
            means: Whether to return all hidden states averaged over each row's chunk.

        Returns:
            The new rows with their chunks cached, and what was read.
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
        """Read a chunk of tokens behind each row, in place; return what was read at its last token.

        Args:
            reader: The reader of the model.
            chunks: For each row, one token or more.
            at: For each row, another token of its chunk to read at.
            layers: The hidden states of that token to return.
            means: Whether to return all hidden states averaged over each row's chunk.
        """
        device = reader.device
        sizes = [len(chunk) for chunk in chunks]
        longest, width = max(sizes), self.width
        # Only the tokens and the two lengths are sent to the device: the rest is made there.
        ids = torch.tensor(
            [[*chunk, *[chunk[-1]] * (longest - len(chunk))] for chunk in chunks], device=device
        )
        columns = torch.arange(width + longest, device=device)
        lengths = torch.tensor(self.lengths, device=device)
        added = torch.tensor(sizes, device=device)
        mask = (columns >= (width - lengths)[:, None]) & (columns < (width + added)[:, None])
        own = torch.arange(longest, device=device)
        offsets = torch.minimum(own[None], (added - 1)[:, None])
        cache: Any = self.as_cache()
        read = reader(
            added - 1 if at is None else torch.tensor(list(at), device=device),
            layers=layers,
            mean_over=own < added[:, None] if means else None,
            positions=lengths[:, None] + offsets,
            input_ids=ids,
            attention_mask=mask.long(),
            past_key_values=cache,
            use_cache=True,
        )
        self._layers = cache.layers
        lengths_now = [before + size for before, size in zip(self.lengths, sizes, strict=True)]
        if min(sizes) < longest:
            starts = [width - length for length in self.lengths]
            self._layers = aligned(self._layers, range(len(sizes)), starts, lengths_now)
        self.lengths = lengths_now
        return read

    def as_cache(self) -> Any:
        """Make a cache for the model that holds these rows and takes the tokens behind them."""
        # The cache is built without the config: layers with a sliding window would otherwise drop
        # tokens that a shorter branch still needs. The mask alone makes the window.
        cache: Any = DynamicCache()
        cache.layer_class_to_replicate = GrowingLayer
        cache.layers = list(self._layers)
        return cache
