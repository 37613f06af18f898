"""Running the cells of a grid, and the steps after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from slmroute_plugin.cli.sweep_output import say_end
from slmroute_plugin.cli.sweep_progress import Watch
from slmroute_plugin.storage.sample_files import newest_sample_files
from slmroute_plugin.sweep.after_cells import Answered, GainOver, copy_recorded, steps_after
from slmroute_plugin.sweep.cell_run import Order
from slmroute_plugin.sweep.engines.accelerate import run_with_accelerate
from slmroute_plugin.sweep.engines.local import run_locally
from slmroute_plugin.sweep.environment import gpu_ids
from slmroute_plugin.sweep.grid.grid_file import Grid
from slmroute_plugin.sweep.manifest import Manifest
from slmroute_plugin.sweep.planning.plan import Plan, Planned
from slmroute_plugin.sweep.records import CellRecord, write_record
from slmroute_plugin.sweep.run_options import Engine, RunOptions


def run_grid(
    grid: Grid,
    path: Path,
    plan: Plan,
    chosen: Sequence[Planned],
    options: RunOptions,
    console: Console,
    *,
    is_whole: bool,
) -> bool:
    """Run cells, and after a whole grid the steps that follow.

    Args:
        grid: the grid.
        path: the grid's file.
        plan: the plan of all cells.
        chosen: the cells to run.
        options: the options that say how cells are run.
        console: the console to print on.
        is_whole: whether this is the whole grid, so that the steps follow.

    Returns:
        Whether all cells and steps went well.
    """
    records = {
        planned.cell.name: planned.record for planned in plan.cells if planned.record is not None
    }
    manifest = Manifest(grid, path, [planned.cell for planned in plan.cells])
    failed: list[CellRecord] = []
    steps = []
    try:
        if chosen:
            manifest.write()
            with Watch(console, len(chosen)) as watch:
                for record in _records(grid, chosen, options, watch):
                    write_record(grid.results, record)
                    watch.ended(record)
                    manifest.cell_ended()
                    records[record.cell] = record
                    if record.state == "failed":
                        failed.append(record)
        if is_whole:
            copy_recorded(grid)
            folders = _folders(plan, records)
            trained = {
                planned.cell.model
                for planned in plan.cells
                if planned.cell.kind == "training" and planned.cell.role == "slm"
            }
            slms = [folders.get(entry.name, {}) for entry in grid.slms if entry.name in trained]
            answered = {folder: answers for own in slms for folder, answers in own.items()}
            manifest.write()
            for step in steps_after(grid, answered, _gain_over(grid, folders)):
                console.print(f"slmroute {step.name}: {step.seconds:.0f} s", soft_wrap=True)
                manifest.add_step(step)
                steps.append(step)
    finally:
        # After Ctrl-C too: what is done by then is done.
        manifest.write()
    say_end(console, failed, steps, grid.results, manifest.path)
    return not failed and not any(step.exit_status for step in steps)


def _folders(plan: Plan, records: dict[str, CellRecord]) -> dict[str, dict[str, Answered]]:
    """List each model's folders of results, with the answers that its cells put there."""
    folders: dict[str, dict[str, Answered]] = {}
    for planned in plan.cells:
        record = records.get(planned.cell.name)
        if record is None or record.state != "done":
            continue
        own = folders.setdefault(planned.cell.model, {})
        options = planned.cell.settings.get("options")
        for folder in record.folders:
            before = own.get(folder, Answered([]))
            # A model's cells without methods have no options.
            own[folder] = Answered([*before.files, *record.files], options or before.options)
    return folders


def _gain_over(grid: Grid, folders: dict[str, dict[str, Answered]]) -> GainOver | None:
    """Find the results of the LLM whose gain probes learn; None if they learn no gain."""
    name = grid.probes.llm
    if name is None:
        return None
    # A recorded run has no cells; its folder has the name by which the grid knows it.
    own = folders.get(name) or {
        name: Answered(sorted(map(str, newest_sample_files(grid.results / name).values())))
    }
    folder = next(iter(own))
    return GainOver(folder, own[folder].files)


def _records(
    grid: Grid, chosen: Sequence[Planned], options: RunOptions, watch: Watch
) -> Iterator[CellRecord]:
    """Run cells by the chosen engine, and yield how each ended."""
    results, directory = grid.results.absolute(), Path.cwd()
    orders = [
        Order(planned.cell, results, directory=directory, retries=options.retries)
        for planned in chosen
    ]
    if options.engine is Engine.ray:
        from slmroute_plugin.sweep.engines.ray import Cluster, run_on_ray

        return run_on_ray(orders, Cluster(options.address, options.store), watch.started)
    gpus = gpu_ids()
    jobs = options.jobs or max(1, len(gpus))
    if options.engine is Engine.accelerate:
        return run_with_accelerate(orders, jobs, gpus, watch.started)
    return run_locally(orders, jobs, gpus, watch.started)
