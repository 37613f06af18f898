"""The grouping of chunks of tokens by similar length, so that little padding is read."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# The cost of one more forward pass, in tokens: on a CPU it reads the weights once more, calls every
# layer and puts rows together again.
PASS_ON_CPU = 80
# Passes of more tokens than this take longer per token, because the states between two layers no
# longer stay in the cache (SmolLM2, 32 prompts of 160 tokens: 0.93 ms a token by eights, 1.16 all
# at once).
MOST_ON_CPU = 1280
# On a GPU one more pass costs some 20 ms of starting kernels (measured: 16 layers, H100), in which
# it computes so much: few tokens of a large model, many of a small model.
PASS_IN_FLOP = 6e12


def pass_in_tokens(device: str, parameters: int) -> int:
    """Return how many tokens a model of this size could read in the time that one more pass takes.

    >>> pass_in_tokens("cuda", 7_000_000_000)
    428
    """
    return PASS_ON_CPU if device == "cpu" else int(PASS_IN_FLOP / (2 * max(parameters, 1)))


def most_in_a_pass(device: str) -> int:
    """Return the number of tokens above which two passes are faster than a larger one."""
    return MOST_ON_CPU if device == "cpu" else sys.maxsize


def groups(sizes: Sequence[int], a_pass: int, most: int = sys.maxsize) -> list[list[int]]:
    """Group indices so that the sum of rows × longest of each group, plus `a_pass` each, is least.

    Args:
        sizes: The number of tokens of each chunk.
        a_pass: The cost of one more group, in tokens.
        most: The largest rows × longest of a group with more than one row.

    >>> groups([3, 90, 4, 100], a_pass=80)
    [[0, 2], [1, 3]]
    >>> groups([90, 90, 90], a_pass=80, most=200)
    [[0, 1], [2]]
    """
    order = sorted(range(len(sizes)), key=lambda index: (sizes[index], index))
    ordered = [sizes[index] for index in order]
    # Groups are runs of the sorted sizes, and end where the next size is another.
    ends = [
        i for i in range(1, len(ordered) + 1) if i == len(ordered) or ordered[i] != ordered[i - 1]
    ]
    best = {0: (0, 0)}
    for end in ends:
        best[end] = min(
            (best[start][0] + (end - start) * ordered[end - 1] + a_pass, start) for start in best
        )
    grouped: list[list[int]] = []
    end = len(ordered)
    while end:
        start = best[end][1]
        rows = max(1, most // ordered[end - 1])
        parts = [order[first : min(first + rows, end)] for first in range(start, end, rows)]
        grouped += [sorted(part) for part in reversed(parts)]
        end = start
    return grouped[::-1]
