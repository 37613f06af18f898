"""The rows that are written token by token behind cached prefixes, which are not copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from slmroute_plugin.backends.transformers.cache.branches import Branches
from slmroute_plugin.backends.transformers.cache.prefix_attention import (
    PrefixGroup,
    attending_to_prefixes,
)
from slmroute_plugin.backends.transformers.forward.reader import Read, Reader


class _Origin(NamedTuple):
    """The prefix that a row continues: its group, and its row in the group."""

    group: int
    row: int


class Continuations:
    """A set of rows that each continue a cached prefix, token by token; prefixes are not copied.

    Args:
        prefixes: The prefixes in groups of similar length, which are used up. At first, each of
            their rows is a row here.
    """

    def __init__(self, prefixes: Sequence[Branches]) -> None:
        self._prefixes = list(prefixes)
        self._origins = [
            _Origin(group, row)
            for group, part in enumerate(prefixes)
            for row in range(len(part.lengths))
        ]
        self._own = Branches.empty(len(self._origins))
        self._groups: list[PrefixGroup] | None = None

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each row, its prefix included."""
        return [
            self._prefixes[group].lengths[row] + own
            for (group, row), own in zip(self._origins, self._own.lengths, strict=True)
        ]

    def keep(self, rows: Sequence[int]) -> list[int]:
        """Go on with these rows alone, in place, as `Branches.keep` does."""
        settled = self._own.keep(rows)
        origins = [self._origins[rows[index]] for index in settled]
        if origins != self._origins:
            self._origins, self._groups = origins, None
            for group in range(len(self._prefixes)):
                self._forget_unused(group)
        return settled

    def branch(self, row: int) -> Branches:
        """Copy a row with all its tokens, by itself."""
        group, prefix = self._origins[row]
        return self._prefixes[group].branch(prefix).followed_by(self._own.branch(row))

    def extend(self, reader: Reader, chunks: Sequence[Sequence[int]]) -> Read:
        """Read a token behind each row, in place.

        Args:
            reader: The reader of the model.
            chunks: For each row, exactly one token.
        """
        device = reader.device
        lengths = torch.tensor(self.lengths, device=device)
        cache = self._own.as_cache()
        self._groups = self._groups or self._grouped(device)
        with attending_to_prefixes(reader.model):
            read = reader(
                torch.zeros_like(lengths),
                positions=lengths[:, None],
                input_ids=torch.tensor([[token] for (token,) in chunks], device=device),
                past_key_values=cache,
                use_cache=True,
                prefix_groups=self._groups,
            )
        self._own = Branches(cache.layers, [length + 1 for length in self._own.lengths])
        return read

    def _forget_unused(self, group: int) -> None:
        """Drop the prefixes of a group that no row continues, once they are half of the group."""
        used = sorted({origin.row for origin in self._origins if origin.group == group})
        part = self._prefixes[group]
        if not used or 2 * len(used) > len(part.lengths):
            return
        now = {used[index]: row for row, index in enumerate(part.keep(used))}
        self._origins = [
            _Origin(group, now[origin.row]) if origin.group == group else origin
            for origin in self._origins
        ]

    def _grouped(self, device: torch.device) -> list[PrefixGroup]:
        """Return, for attention, which rows continue which prefix."""
        groups = []
        for group, part in enumerate(self._prefixes):
            rows: list[list[int]] = [[] for _ in part.lengths]
            for row, origin in enumerate(self._origins):
                if origin.group == group:
                    rows[origin.row].append(row)
            if any(rows):
                groups.append(PrefixGroup.of(part, rows, device))
        return groups
