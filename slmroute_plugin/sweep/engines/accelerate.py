"""Cells one after another, each shared by several processes of accelerate."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from slmroute_plugin.sweep.cell_run import Order
from slmroute_plugin.sweep.engines.local import Started, run_locally
from slmroute_plugin.sweep.records import CellRecord


def run_with_accelerate(
    orders: Sequence[Order], processes: int, gpus: Sequence[str], started: Started
) -> Iterator[CellRecord]:
    """Run cells in turn, data-parallel, and yield how each ended.

    A model behind an API is asked by one process: it has no part in the GPUs. So is vLLM, which
    spreads over GPUs by arguments of its own.

    Args:
        orders: the cells to run.
        processes: the number of processes that share a cell.
        gpus: the names that CUDA_VISIBLE_DEVICES has for this machine's GPUs.
        started: called with each cell as it begins.
    """
    launched = [
        _shared(order, processes, bool(gpus))
        if order.cell.is_local and not order.cell.is_on_vllm
        else order
        for order in orders
    ]
    # Every process of a cell sees all GPUs, and accelerate gives each process its own.
    return run_locally(launched, 1, (), started)


def _shared(order: Order, processes: int, has_gpus: bool) -> Order:
    """Give an order the launcher that begins several processes, on GPUs or on CPUs."""
    if not has_gpus or order.cell.needs.gpus == 0:
        # `accelerate launch --cpu` begins one process, however many it is told: torchrun begins
        # them all, and accelerate finds itself among them.
        return replace(
            order,
            launcher=(
                sys.executable, "-m", "torch.distributed.run", "--standalone",
                "--nproc_per_node", str(processes),
            ),
            environment={**order.environment, "ACCELERATE_USE_CPU": "true"},
        )  # fmt: skip
    where = ["--multi_gpu"] if processes > 1 else []
    launcher = (
        sys.executable, "-m", "accelerate.commands.launch", *where,
        "--num_processes", str(processes), "--num_machines", "1",
        "--mixed_precision", "no", "--dynamo_backend", "no",
        # Any free port: the usual one may be another job's.
        "--main_process_port", "0",
    )  # fmt: skip
    return replace(order, launcher=launcher)
