"""Cells as tasks of a Ray cluster, which places them, and runs them again when a node is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from slmroute_plugin.sweep.cell_run import Order, run_cell
from slmroute_plugin.sweep.engines.local import Started
from slmroute_plugin.sweep.engines.store import Store, fetched
from slmroute_plugin.sweep.records import CellRecord

# Ray is asked about all submitted cells, again and again: more of them would only be waiting.
_AT_ONCE = 1000
_POLL_S = 1.0


@dataclass(frozen=True)
class Cluster:
    """The cluster to run on, and the way that results come back.

    Attributes:
        address: the address of the cluster; "auto" for the cluster that this machine is part of,
            None for a fresh one on this machine alone.
        store: the fsspec URL through which results come back; None if all machines share the
            folder of results.
    """

    address: str | None = None
    store: str | None = None


def run_on_ray(orders: Sequence[Order], cluster: Cluster, started: Started) -> Iterator[CellRecord]:
    """Run cells wherever there is room for them, and yield how each ended.

    Args:
        orders: the cells to run. Ray is told the CPUs, GPUs and memory that each needs.
        cluster: the cluster to run on.
        started: called with each cell whose log can be seen from here.

    Raises:
        ModuleNotFoundError: Ray is not installed.
    """
    import ray

    ray.init(address=cluster.address, log_to_driver=False, ignore_reinit_error=True)
    store = Store(cluster.store) if cluster.store else None
    waiting: dict[Any, Order] = {}
    left = iter(orders)
    try:
        while True:
            for order in islice(left, _AT_ONCE - len(waiting)):
                waiting[_submitted(order, store)] = order
            if not waiting:
                return
            for order in waiting.values():
                if order.log.is_file():
                    started(order)
            ended, _ = ray.wait(list(waiting), num_returns=1, timeout=_POLL_S)
            for reference in ended:
                record = _outcome(reference, waiting.pop(reference))
                yield fetched(record, store, orders[0].results) if store else record
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _submitted(order: Order, store: Store | None) -> Any:
    """Submit a cell to Ray, and return the reference to its result."""
    import ray

    # The log of an earlier run would look as if this run had begun.
    order.log.unlink(missing_ok=True)
    needs = order.cell.needs
    options: dict[str, Any] = {
        "name": order.cell.name,
        "num_cpus": needs.cpus,
        "num_gpus": needs.gpus,
        # Retries are for a lost node. A cell that fails by itself would fail again.
        "max_retries": order.retries,
        "retry_exceptions": False,
    }
    if needs.memory_gb is not None:
        options["memory"] = int(needs.memory_gb * 2**30)
    return ray.remote(_run).options(**options).remote(order, store)


def _run(order: Order, store: Store | None) -> CellRecord:
    """Run a cell on the node that Ray chose, and store its files if there is a store."""
    if store is None:
        return run_cell(order)
    # A folder that a further attempt on the same node finds again, with its journal.
    scratch = Path(gettempdir()) / "slmroute-sweep" / order.cell.digest[:16]
    record = run_cell(replace(order, results=scratch, directory=None))
    store.put(scratch, (record.log, *record.files))
    if record.state == "done":
        shutil.rmtree(scratch, ignore_errors=True)
    return record


def _outcome(reference: Any, order: Order) -> CellRecord:
    """Fetch the record of an ended cell, or make that of a failed one if Ray reports an error."""
    import ray

    try:
        record: CellRecord = ray.get(reference)
    except ray.exceptions.RayError as error:
        return CellRecord(
            cell=order.cell.name,
            digest=order.cell.digest,
            state="failed",
            exit_status=None,
            attempts=order.retries + 1,
            began="",
            seconds=0.0,
            tail=tuple(str(error).strip().splitlines()[-12:]),
        )
    return record
