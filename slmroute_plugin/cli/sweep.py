"""The command `slmroute sweep`: a grid of models and tasks, from its plan to its report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from slmroute_plugin.sweep.run_options import Engine, RunOptions

if TYPE_CHECKING:
    from slmroute_plugin.sweep.grid.cells import Cell
    from slmroute_plugin.sweep.grid.grid_file import Grid


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

    A cell is one lm_eval run of one model on one group of tasks. A cell that is done is not run
    again, and a cell that was cut off goes on where it was. A cell that fails does not stop the
    others: it is named at the end with the last lines of its log, and the exit status is 1. The
    file manifest.json among the results says how each cell was run, and how it ended.

    Example: slmroute sweep examples/paper/grid.yaml --dry-run

    Example: slmroute sweep examples/paper/grid.yaml --engine ray --address auto

    Example: slmroute sweep examples/paper/grid.yaml --cell $SLURM_ARRAY_TASK_ID
    """
    from slmroute_plugin.cli.sweep_output import say_plan
    from slmroute_plugin.cli.sweep_run import run_grid
    from slmroute_plugin.storage.atomic_write import check_writable
    from slmroute_plugin.sweep.grid.grid_file import GridError, load_grid
    from slmroute_plugin.sweep.planning.plan import cell_number, make_plan
    from slmroute_plugin.sweep.report_options import MANIFEST

    console = Console(markup=False, highlight=False)
    options = RunOptions(engine, jobs, address, store, retries)
    try:
        _check(options)
        loaded = load_grid(grid)
        if not dry_run:
            check_writable(loaded.results / MANIFEST)
            if cell is None:
                check_writable(loaded.report / "index.html")
        plan = make_plan(loaded, grid)
        _check_folders(grid, loaded, [planned.cell for planned in plan.cells])
        chosen = plan.to_do
        if cell is not None:
            number = cell_number(plan, cell)
            chosen = [planned for planned in chosen if planned.cell.number == number]
    except GridError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if cell is None or dry_run:
        say_plan(console, plan, grid)
    if dry_run:
        return
    if store and chosen:
        _check_store(store)
    if not run_grid(loaded, grid, plan, chosen, options, console, is_whole=cell is None):
        raise typer.Exit(1)


def _check(options: RunOptions) -> None:
    """Check that the options go together, and that the engine is installed.

    Raises:
        GridError: an option belongs to another engine, or Ray is not installed.
    """
    from importlib.util import find_spec

    from slmroute_plugin.sweep.grid.grid_file import GridError

    if options.engine is Engine.ray:
        if options.jobs is not None:
            raise GridError("--jobs is not of --engine ray, which runs what the cluster holds")
        if find_spec("ray") is None:
            raise GridError("--engine ray: Ray is not installed: pip install 'slmroute[scale]'")
    elif options.address or options.store:
        option = "--address" if options.address else "--store"
        raise GridError(f"{option} is of --engine ray, not of {options.engine.value}")


def _check_folders(path: Path, grid: Grid, cells: Iterable[Cell]) -> None:
    """Check that each model has a folder of results of its own, and each recording.

    Raises:
        GridError: two models of the grid have the same folder.
    """
    from slmroute_plugin.llm.model_price import folder_name
    from slmroute_plugin.sweep.grid.grid_file import GridError
    from slmroute_plugin.task.model_arguments import model_name

    models: dict[str, str] = {}
    found = [(cell.model, model_name(cell.config["model_args"]) or cell.model) for cell in cells]
    found += [(entry.name, entry.name) for entry in grid.llms if entry.replay is not None]
    for model, name in found:
        if (other := models.setdefault(folder_name(name), model)) != model:
            raise GridError(
                f"{path}: {other} and {model} are both {name}, and their results would be in one "
                "folder: leave one of them in the grid. A small model that others are routed to is "
                f"an llm as {{slm: {other}}}"
            )


def _check_store(url: str) -> None:
    """Check that the store can be used, before the first cell rather than after it.

    Raises:
        typer.Exit: it cannot.
    """
    from slmroute_plugin.sweep.engines.store import Store, StoreError

    try:
        Store(url).check()
    except StoreError as error:
        typer.echo(f"--store: {error}", err=True)
        raise typer.Exit(2) from None
