"""Running the cells of a grid, and the steps after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from slmroute_plugin.cli.sweep_output import say_end
from slmroute_plugin.cli.sweep_progress import Watch
from slmroute_plugin.sweep.after_cells import copy_recorded, steps_after
from slmroute_plugin.sweep.cell_run import Order
from slmroute_plugin.sweep.engines.accelerate import run_with_accelerate
from slmroute_plugin.sweep.engines.local import run_locally
from slmroute_plugin.sweep.environment import gpu_ids
from slmroute_plugin.sweep.grid.grid_file import Grid
from slmroute_plugin.sweep.manifest import Manifest
from slmroute_plugin.sweep.planning.plan import Plan, Planned
from slmroute_plugin.sweep.records import CellRecord, write_record
from slmroute_plugin.sweep.run_options import Engine, How


def run_grid(
    grid: Grid,
    path: Path,
    plan: Plan,
    chosen: Sequence[Planned],
    how: How,
    console: Console,
    *,
    is_whole: bool,
) -> bool:
    """Run cells, and the steps after them if it is the whole grid; whether all went well."""
    records = {one.cell.name: one.record for one in plan.cells if one.record is not None}
    manifest = Manifest(grid.results, path, [one.cell for one in plan.cells])
    failed: list[CellRecord] = []
    steps = []
    try:
        if chosen:
            manifest.write()
            with Watch(console, len(chosen)) as watch:
                for record in _records(grid, chosen, how, watch):
                    write_record(grid.results, record)
                    watch.ended(record)
                    manifest.cell_ended()
                    records[record.cell] = record
                    if record.state == "failed":
                        failed.append(record)
        if is_whole:
            copy_recorded(grid)
            for step in steps_after(grid, _slm_folders(plan, records)):
                console.print(f"slmroute {step.name}: {step.seconds:.0f} s", soft_wrap=True)
                manifest.add_step(step)
                steps.append(step)
    finally:
        # After Ctrl-C too: what is done by then is done.
        manifest.write()
    say_end(console, failed, steps, grid.results, manifest.path)
    return not failed and not any(step.exit_status for step in steps)


def _slm_folders(plan: Plan, records: dict[str, CellRecord]) -> dict[str, list[str]]:
    """The small models' folders of results, and the files that their cells put there."""
    found: dict[str, list[str]] = {}
    for one in plan.cells:
        record = records.get(one.cell.name)
        if one.cell.role == "slm" and record is not None and record.state == "done":
            for folder in record.folders:
                found.setdefault(folder, []).extend(record.files)
    return found


def _records(grid: Grid, chosen: Sequence[Planned], how: How, watch: Watch) -> Iterator[CellRecord]:
    orders = [
        Order(one.cell, grid.results.absolute(), directory=Path.cwd(), retries=how.retries)
        for one in chosen
    ]
    return _engine(orders, how, watch)


def _engine(orders: Sequence[Order], how: How, watch: Watch) -> Iterator[CellRecord]:
    if how.engine is Engine.ray:
        from slmroute_plugin.sweep.engines.ray import Cluster, run_on_ray

        return run_on_ray(orders, Cluster(how.address, how.store), watch.started)
    gpus = gpu_ids()
    jobs = how.jobs or max(1, len(gpus))
    if how.engine is Engine.accelerate:
        return run_with_accelerate(orders, jobs, gpus, watch.started)
    return run_locally(orders, jobs, gpus, watch.started)
