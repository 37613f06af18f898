"""`slmroute sweep`: a grid of models and tasks, from its plan to its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from slmroute_plugin.sweep.grid_file import Grid
    from slmroute_plugin.sweep.plan import Plan, Planned
    from slmroute_plugin.sweep.records import Record
    from slmroute_plugin.sweep.running import Order
    from slmroute_plugin.sweep.watching import Watch


class Engine(str, Enum):
    """Who runs the cells."""

    local = "local"
    accelerate = "accelerate"
    ray = "ray"


@dataclass(frozen=True)
class _How:
    """The options that say how cells are run."""

    engine: Engine
    jobs: int | None
    address: str | None
    store: str | None
    retries: int


def sweep(
    grid: Annotated[Path, typer.Argument(help="Grid file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and stop.")] = False,
    engine: Annotated[
        Engine,
        typer.Option(
            help="local: one process per GPU, or as many as --jobs says. accelerate: one cell at "
            "a time, shared by --jobs processes. ray: wherever a Ray cluster has room."
        ),
    ] = Engine.local,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes at the same time; default: one per GPU, or one."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto for the one of this machine; default: a fresh one."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="URL (s3://…, gs://…, file:///…) through which results of a Ray cluster come "
            "back, if its machines share no folder."
        ),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Only this cell, by number or name; no probes, no report. For job arrays."
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="Further attempts at a cell that was killed.")
    ] = 2,
) -> None:
    """Run all models of a grid on all its tasks, then fit probes, score, and report.

    A cell is one lm_eval run of one model on one group of tasks. What is done is not done again;
    what was cut off goes on where it was. A cell that fails does not stop the others: it is named
    at the end with the last lines of its log, and the exit status is 1. The file manifest.json
    among the results says how each cell was run, and how it ended.

    Example: slmroute sweep examples/paper/grid.yaml --dry-run

    Example: slmroute sweep examples/paper/grid.yaml --engine ray --address auto

    Example: slmroute sweep examples/paper/grid.yaml --cell $SLURM_ARRAY_TASK_ID
    """
    from slmroute_plugin.sweep.grid_file import GridError, load_grid
    from slmroute_plugin.sweep.plan import cell_number, make_plan
    from slmroute_plugin.sweep.saying import say_plan

    console = Console(markup=False, highlight=False)
    how = _How(engine, jobs, address, store, retries)
    try:
        _check(how)
        loaded = load_grid(grid)
        plan = make_plan(loaded, grid)
        chosen = plan.to_do
        if cell is not None:
            number = cell_number(plan, cell)
            chosen = [one for one in chosen if one.cell.number == number]
    except GridError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if cell is None or dry_run:
        say_plan(console, plan, grid)
    if dry_run:
        return
    if not _run(loaded, grid, plan, chosen, how, console, is_whole=cell is None):
        raise typer.Exit(1)


def _check(how: _How) -> None:
    from importlib.util import find_spec

    from slmroute_plugin.sweep.grid_file import GridError

    if how.engine is Engine.ray:
        if find_spec("ray") is None:
            raise GridError("--engine ray: Ray is not installed: pip install 'slmroute[scale]'")
    elif how.address or how.store:
        option = "--address" if how.address else "--store"
        raise GridError(f"{option} is of --engine ray, not of {how.engine.value}")


def _run(
    grid: Grid,
    path: Path,
    plan: Plan,
    chosen: Sequence[Planned],
    how: _How,
    console: Console,
    *,
    is_whole: bool,
) -> bool:
    """Run cells, and the steps after them if it is the whole grid; whether all went well."""
    from slmroute_plugin.sweep.manifest import Manifest
    from slmroute_plugin.sweep.records import write_record
    from slmroute_plugin.sweep.saying import say_end
    from slmroute_plugin.sweep.steps import copy_recorded, steps_after
    from slmroute_plugin.sweep.watching import Watch

    records = {one.cell.name: one.record for one in plan.cells if one.record is not None}
    manifest = Manifest(grid.results, path, [one.cell for one in plan.cells])
    failed: list[Record] = []
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


def _slm_folders(plan: Plan, records: dict[str, Record]) -> dict[str, list[str]]:
    """The small models' folders of results, and the files that their cells put there."""
    found: dict[str, list[str]] = {}
    for one in plan.cells:
        record = records.get(one.cell.name)
        if one.cell.role == "slm" and record is not None and record.state == "done":
            for folder in record.folders:
                found.setdefault(folder, []).extend(record.files)
    return found


def _records(grid: Grid, chosen: Sequence[Planned], how: _How, watch: Watch) -> Iterator[Record]:
    from slmroute_plugin.sweep.running import Order

    orders = [
        Order(one.cell, grid.results.absolute(), directory=Path.cwd(), retries=how.retries)
        for one in chosen
    ]
    return _engine(orders, how, watch)


def _engine(orders: Sequence[Order], how: _How, watch: Watch) -> Iterator[Record]:
    from slmroute_plugin.sweep.machine import gpu_ids

    if how.engine is Engine.ray:
        from slmroute_plugin.sweep.ray_engine import Cluster, run_on_ray

        return run_on_ray(orders, Cluster(how.address, how.store), watch.started)
    gpus = gpu_ids()
    jobs = how.jobs or max(1, len(gpus))
    if how.engine is Engine.accelerate:
        from slmroute_plugin.sweep.accelerate_engine import run_with_accelerate

        return run_with_accelerate(orders, jobs, gpus, watch.started)
    from slmroute_plugin.sweep.local_engine import run_locally

    return run_locally(orders, jobs, gpus, watch.started)
