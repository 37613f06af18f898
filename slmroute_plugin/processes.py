"""Several processes of one run: what each has, and what one of them does for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slmroute_plugin.observation import Answer

if TYPE_CHECKING:
    from lm_eval.api.model import LM


def is_first_of_equals(what: Sequence[str]) -> bool:
    """Whether this process is the one to do work that others may hold a copy of."""
    parts, rank = gather_from_all(tuple(what))
    return rank == 0 or any(part != parts[0] for part in parts)


def gather_from_all(mine: Any) -> tuple[list[Any], int]:
    import torch.distributed as processes

    if not (processes.is_available() and processes.is_initialized()):
        return [mine], 0
    parts: list[Any] = [None] * processes.get_world_size()
    processes.all_gather_object(parts, mine)
    return parts, int(processes.get_rank())


def unsplit_processes(lm: LM) -> Any:
    """The accelerator of processes among which lm-eval did not split the questions, if any.

    Under `accelerate launch` without one GPU per process, lm-eval 0.4.13 gives every process
    all the questions and keeps the first one's results.
    """
    accelerator = getattr(lm, "accelerator", None)
    if accelerator is not None and accelerator.num_processes > lm.world_size:
        return accelerator
    return None


def share_of(lm: LM, count: int) -> range:
    accelerator = unsplit_processes(lm)
    if accelerator is None:
        return range(count)
    return range(accelerator.process_index, count, accelerator.num_processes)


def gather_shares(lm: LM, observed: dict[int, Answer]) -> dict[int, Answer]:
    accelerator = unsplit_processes(lm)
    if accelerator is None:
        return observed
    import torch.distributed

    shares: list[Mapping[int, Answer]] = [{} for _ in range(accelerator.num_processes)]
    torch.distributed.all_gather_object(shares, observed)
    return {index: answer for share in shares for index, answer in share.items()}
