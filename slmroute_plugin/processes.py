"""The processes that share a run: what each has, and what one of them does for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slmroute_plugin.observation import Answer

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM


def is_first_of_equals(work: Sequence[str]) -> bool:
    """Return whether this process is to do work of which other processes may hold a copy.

    If all processes hold the same work, the process of rank 0 does it. If their work differs, each
    process does its own.

    Args:
        work: A description of each piece of this process's work.
    """
    parts, rank = gather_from_all(tuple(work))
    return rank == 0 or any(part != parts[0] for part in parts)


def gather_from_all(mine: Any) -> tuple[list[Any], int]:
    """Gather an object from all processes of `torch.distributed`.

    Returns:
        The objects in the order of the ranks, and this process's rank. Without several
        processes, the object alone and 0.
    """
    import torch.distributed as processes

    if not (processes.is_available() and processes.is_initialized()):
        return [mine], 0
    parts: list[Any] = [None] * processes.get_world_size()
    processes.all_gather_object(parts, mine)
    return parts, int(processes.get_rank())


def unsplit_processes(lm: LM) -> Any:
    """Return the accelerator if lm-eval gave each of its processes all questions, else None.

    Under `accelerate launch` without a GPU for each process, lm-eval 0.4.13 gives every process
    all the questions and keeps the first process's results.
    """
    accelerator = getattr(lm, "accelerator", None)
    if accelerator is not None and accelerator.num_processes > lm.world_size:
        return accelerator
    return None


def share_of(lm: LM, count: int) -> range:
    """Return the indices of the questions that this process asks, of `count` in all."""
    accelerator = unsplit_processes(lm)
    if accelerator is None:
        return range(count)
    return range(accelerator.process_index, count, accelerator.num_processes)


def gather_shares(lm: LM, observed: dict[int, Answer]) -> dict[int, Answer]:
    """Gather the answers that all processes have, by the index of the question."""
    accelerator = unsplit_processes(lm)
    if accelerator is None:
        return observed
    import torch.distributed

    shares: list[Mapping[int, Answer]] = [{} for _ in range(accelerator.num_processes)]
    torch.distributed.all_gather_object(shares, observed)
    return {index: answer for share in shares for index, answer in share.items()}
