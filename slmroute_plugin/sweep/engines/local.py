"""Cells on this machine: one process each, and no two on the same GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace

from slmroute_plugin.sweep.cell_run import Order, run_cell
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.records import CellRecord

Started = Callable[[Order], None]


class Devices:
    """The GPUs of this machine, each lent to one cell at a time.

    Args:
        ids: the names that CUDA_VISIBLE_DEVICES has for them.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._all = len(ids)
        self._free = list(ids)
        self._changed = threading.Condition()

    @contextmanager
    def lent(self, cell: Cell) -> Iterator[dict[str, str]]:
        """Lend a cell the GPUs that it needs, by environment variables that show it no others."""
        # A part of a GPU counts as a whole one: half a GPU's memory cannot be set apart.
        wanted = min(-(-cell.needs.gpus // 1), self._all)
        if not self._all:
            yield {}
            return
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) >= wanted)
            taken = [self._free.pop(0) for _ in range(int(wanted))]
        try:
            yield {"CUDA_VISIBLE_DEVICES": ",".join(taken)}
        finally:
            with self._changed:
                self._free = sorted([*self._free, *taken])
                self._changed.notify_all()


def run_locally(
    orders: Sequence[Order], jobs: int, gpus: Sequence[str], started: Started
) -> Iterator[CellRecord]:
    """Run cells, `jobs` at a time, and yield how each ended.

    Args:
        orders: the cells to run.
        jobs: the number of processes at the same time.
        gpus: the names that CUDA_VISIBLE_DEVICES has for this machine's GPUs.
        started: called with each cell as it begins.
    """
    devices = Devices(gpus)
    stop = threading.Event()

    def run(order: Order) -> CellRecord:
        with devices.lent(order.cell) as environment:
            if not stop.is_set():
                started(order)
            shown = {**order.environment, **environment}
            return run_cell(replace(order, environment=shown), stop.is_set)

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(run, order) for order in orders]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            stop.set()
            for future in waiting:
                future.cancel()
