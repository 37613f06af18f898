"""Which of a model's hidden states a signal means."""

from __future__ import annotations


def state_index(layer: int, depth: int) -> int:
    """Return the index of a hidden state among the `depth` + 1 that a model has.

    >>> state_index(-8, 30)
    23
    """
    return min(max(layer if layer >= 0 else depth + 1 + layer, 0), depth)
