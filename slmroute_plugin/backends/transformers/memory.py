"""How much memory a batch takes at least, and whether there can be as much."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

logger = logging.getLogger(__name__)

GIB = 2**30
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class Demand(NamedTuple):
    """What one question caches at the same time, at most.

    Attributes:
        prompt: its tokens.
        prompts: how often they are cached.
        answer: tokens of each answer.
        answers: sequences that are written at once.
    """

    prompt: int
    prompts: int
    answer: int
    answers: int

    @property
    def tokens(self) -> int:
        """In all."""
        return self.prompt * self.prompts + self.answer * self.answers


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of those by which a device says that its memory is full."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # cuDNN's attention says so only between the lines (seen with torch 2.11 on a full GPU), and
    # what the driver itself refuses is an error of its own.
    said = str(error)
    return isinstance(error, RuntimeError) and (
        "mha_graph.execute" in said or "error: out of memory" in said
    )


def total_memory() -> int:
    """Bytes that this process may have at most: the machine's, or its container's."""
    total = int(psutil.virtual_memory().total)
    for path in _CGROUP_LIMITS:
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return total


def fitting(size: int, largest: Demand, bytes_per_token: int, memory: int) -> int:
    """The batch size, or as much of it as can fit into a computer's memory.

    A computer that runs out of memory says nothing: the system ends the process, or swaps.
    What counts here is the cache alone, which is less than what is needed: what is refused
    could not have run.

    Args:
        size: questions at once.
        largest: of the questions' demands.
        bytes_per_token: of the cache.
        memory: bytes that there can be.

    Returns:
        A size from 1 to `size`.

    Raises:
        ValueError: not even the largest question can fit by itself; gives the estimate.

    >>> fitting(8, Demand(prompt=800, prompts=1, answer=200, answers=6), 1000, 5_000_000)
    2
    """
    each = largest.tokens * bytes_per_token
    if each > memory:
        raise ValueError(
            f"One question of {largest.prompt} tokens, with {largest.answers} sequences of up to "
            f"{largest.answer} behind it, needs at least {each / GIB:.1f} GiB for its cache, and "
            f"there are {memory / GIB:.1f} GiB in all. Set a smaller max_gen_toks with "
            "--gen_kwargs or max_length with --model_args, "
            "or choose methods that draw fewer samples."
        )
    fits = max(1, memory // max(each, 1))
    if fits < size:
        logger.warning(
            "%d questions at once need at least %.1f GiB, and there are %.1f GiB in all: going on "
            "with %d",
            size,
            size * each / GIB,
            memory / GIB,
            fits,
        )
    return min(size, fits)
