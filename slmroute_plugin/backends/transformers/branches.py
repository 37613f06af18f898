"""A key-value cache that branches: many continuations of prefixes that were read once.

Every row's tokens stand in the cache without gaps, aligned to the right, so that masks,
sliding windows and relative positions see what they would see for that row alone. New
tokens are read padded to the right, behind all that is cached, and then aligned again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from slmroute_plugin.backends.transformers.reader import Read, Reader

logger = logging.getLogger(__name__)


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

    def __init__(self, layers: list[tuple[Tensor, Tensor]], lengths: Sequence[int]) -> None:
        self._layers = layers
        self.lengths = list(lengths)

    @classmethod
    def empty(cls, rows: int) -> Branches:
        """Rows with nothing cached."""
        return cls([], [0] * rows)

    @property
    def width(self) -> int:
        """Columns of the cache: the longest row's length."""
        return max(self.lengths, default=0)

    def fork(self, picks: Sequence[Pick]) -> Branches:
        """New rows, each a copy of the first tokens of a row; rows may repeat."""
        starts = [self.width - self.lengths[pick.row] for pick in picks]
        return self._aligned(picks, starts)

    @staticmethod
    def join(parts: Sequence[Branches]) -> Branches:
        """The rows of all parts, in order."""
        parts = [part for part in parts if part.lengths]
        width = max(part.width for part in parts)
        layers = [
            (
                torch.cat([_left_padded(part._layers[i][0], width) for part in parts]),
                torch.cat([_left_padded(part._layers[i][1], width) for part in parts]),
            )
            for i in range(len(parts[0]._layers))
        ]
        return Branches(layers, [length for part in parts for length in part.lengths])

    def extend(
        self,
        reader: Reader,
        chunks: Sequence[Sequence[int]],
        *,
        layers: Sequence[int] = (),
        means: bool = False,
    ) -> Read:
        """Read one chunk of tokens behind each row, in place; return what its last token gives.

        Args:
            chunks: for each row, one token or more.
            layers: hidden states to return of each row's last token.
            means: whether to return all hidden states averaged over each row's chunk.
        """
        device = reader.device
        sizes = [len(chunk) for chunk in chunks]
        longest, width = max(sizes), self.width
        ids = torch.tensor([[*chunk, *[chunk[-1]] * (longest - len(chunk))] for chunk in chunks])
        columns = torch.arange(width + longest)
        lengths, size = torch.tensor(self.lengths), torch.tensor(sizes)
        mask = (columns >= (width - lengths)[:, None]) & (columns < (width + size)[:, None])
        offsets = torch.minimum(torch.arange(longest)[None], (size - 1)[:, None])
        cache: Any = self._as_cache()
        read = reader(
            (size - 1).to(device),
            layers=layers,
            mean_over=(torch.arange(longest) < size[:, None]).to(device) if means else None,
            positions=(lengths[:, None] + offsets).to(device),
            input_ids=ids.to(device),
            attention_mask=mask.long().to(device),
            past_key_values=cache,
            use_cache=True,
        )
        self._layers = [(layer.keys, layer.values) for layer in cache.layers]
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
                (k[:, :, window].index_select(0, rows.to(k.device)),
                 v[:, :, window].index_select(0, rows.to(v.device)))
                for k, v in self._layers
            ]  # fmt: skip
        else:
            columns = torch.arange(width)[None] + torch.tensor(shifts)[:, None]
            # Columns before a row's first token are padding: whatever stands there is masked.
            columns = columns.clamp(min=0)
            layers = [
                (_picked(k, rows, columns), _picked(v, rows, columns)) for k, v in self._layers
            ]
        return Branches(layers, kept)

    def _as_cache(self) -> Any:
        # Built without the config: layers with a sliding window would otherwise drop tokens
        # that a shorter branch still needs; the window itself is the mask's doing.
        cache: Any = DynamicCache()
        for index, (keys, values) in enumerate(self._layers):
            cache.update(keys[:, :, :0], values[:, :, :0], index)
            cache.layers[index].keys, cache.layers[index].values = keys, values
        return cache


def _left_padded(states: Tensor, width: int) -> Tensor:
    return nn.functional.pad(states, (0, 0, width - states.shape[2], 0))


def _picked(states: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    device = states.device
    return states.transpose(1, 2)[rows.to(device)[:, None], columns.to(device)].transpose(1, 2)


def can_branch(reader: Reader) -> bool:
    """Whether branching gives this model the results of reading each sequence at once.

    Found out by trying on a few tokens, so that models nobody foresaw are served rightly:
    recurrent ones, encoder-decoders and unusual caches fail it.
    """
    config = reader.model.config
    if config.is_encoder_decoder or getattr(reader.model, "_is_stateful", False):
        return False
    vocabulary = config.get_text_config(decoder=True).vocab_size
    one, two = ([(7 * step + 3 * i) % vocabulary for i in range(6)] for step in (11, 23))
    sequences = [one, two, two[:2] + one]
    try:
        whole = [Branches.empty(1).extend(reader, [sequence]).logits[0] for sequence in sequences]
        prompts = Branches.empty(2)
        prompts.extend(reader, [one[:3], two[:5]])
        if any(type(layer) is not DynamicLayer for layer in prompts._as_cache().layers):
            return False
        branches = prompts.fork([Pick(0, 3), Pick(1, 4), Pick(1, 2)])
        logits = branches.extend(reader, [one[3:], two[4:], one]).logits
    except (
        AttributeError,
        IndexError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        logger.info("The cache of %s cannot be branched: %s", type(reader.model).__name__, error)
        return False
    expected = torch.stack(whole)
    # Half precision rounds to some hundredths of a standard deviation; a wrong mask or
    # position moves logits by whole ones.
    return bool((logits - expected).abs().max() < 0.25 * expected.std().clamp(min=1e-6))
