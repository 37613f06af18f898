"""The least memory that a batch takes, and whether a computer has as much."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

logger = logging.getLogger(__name__)

GIB = 2**30
# How memory that is full is told by errors of no type of their own: cuDNN's attention does not name
# the cause (seen with torch 2.11 on a full GPU), a refusal of the driver itself has another text,
# and so has the CPU where a process is limited.
_TOLD = (
    "mha_graph.execute",
    "error: out of memory",
    "DefaultCPUAllocator: can't allocate memory",
)
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class Demand(NamedTuple):
    """The largest demand of one question for cached tokens at the same time.

    Attributes:
        prompt: The number of tokens of the prompt.
        prompts: The number of times that the prompt is cached.
        answer: The largest number of tokens of an answer.
        answers: The number of answers that are written at the same time.
    """

    prompt: int
    prompts: int
    answer: int
    answers: int

    @property
    def tokens(self) -> int:
        """The number of tokens in all."""
        return self.prompt * self.prompts + self.answer * self.answers


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is how a device says that its memory is full."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(told in str(error) for told in _TOLD)


def total_memory() -> int:
    """Return the bytes that this process may have at most: the machine's, or its container's."""
    total = int(psutil.virtual_memory().total)
    for path in _CGROUP_LIMITS:
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):  # the file is missing, or says "max"
            continue
    return total


def fitting(size: int, largest: Demand, bytes_per_token: int, memory: int) -> int:
    """Return the batch size, or as much of it as can fit into a computer's memory.

    A computer that runs out of memory says nothing: the system ends the process, or swaps. Only
    the cache is counted here, which is less than what is needed. So a size that is refused could
    not have run.

    Args:
        size: The number of questions at the same time.
        largest: The largest of the questions' demands.
        bytes_per_token: The bytes of the cache for a token.
        memory: The bytes that there can be.

    Returns:
        A size from 1 to `size`.

    Raises:
        ValueError: If not even the largest question can fit by itself; the text gives the
            estimate.

    >>> fitting(8, Demand(prompt=800, prompts=1, answer=200, answers=6), 1000, 5_000_000)
    2
    """
    needed = largest.tokens * bytes_per_token
    if needed > memory:
        raise ValueError(
            f"One question of {largest.prompt} tokens, with {largest.answers} sequences of up to "
            f"{largest.answer} behind it, needs at least {needed / GIB:.1f} GiB for its cache, and "
            f"there are {memory / GIB:.1f} GiB in all. Set a smaller max_gen_toks with "
            "--gen_kwargs or max_length with --model_args, "
            "or choose methods that draw fewer samples."
        )
    fits = max(1, memory // max(needed, 1))
    if fits < size:
        logger.warning(
            "%d questions at once need at least %.1f GiB, and there are %.1f GiB in all: going on "
            "with %d",
            size,
            size * needed / GIB,
            memory / GIB,
            fits,
        )
    return min(size, fits)
