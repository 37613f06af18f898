"""The commands `slmroute journal …`: list the journal of a folder of results, and prune it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.nearest import did_you_mean

app = typer.Typer(
    no_args_is_help=True, help="The journal of finished questions, by which runs go on."
)

Results = Annotated[Path, typer.Argument(help="The folder of results: --output_path's value.")]


@app.command("ls")
def list_journal(results: Results = Path("results")) -> None:
    """List what the journal holds: by model and task, how many questions, and their size.

    Example: slmroute journal ls

    Example: slmroute journal ls /data/results
    """
    from slmroute_plugin.journal.code_version import code_versions
    from slmroute_plugin.journal.kept_tasks import kept_tasks

    codes = code_versions()
    *damaged, path = _files(results)
    with _opened(path) as connection:
        kept = kept_tasks(connection)
    table = Table(
        "Model", Column("Task", no_wrap=True), Column("Questions", justify="right", no_wrap=True),
        Column("Size", justify="right", no_wrap=True), Column("Last used", no_wrap=True),
        "Written by", title=f"Journal {path}",
    )  # fmt: skip
    for entry in kept:
        by = "this version" if entry.is_usable(codes) else f"{entry.code}: not used any more"
        table.add_row(
            entry.model, entry.task, str(entry.questions), _in_words(entry.size), entry.used_at, by
        )
    console = Console(markup=False, highlight=False)
    console.print(table)
    for file in damaged:
        console.print(f"Damaged, and not used: {file}", soft_wrap=True)


@app.command()
def prune(
    results: Results = Path("results"),
    model: Annotated[str | None, typer.Option(help="Only answers of this model.")] = None,
    task: Annotated[str | None, typer.Option(help="Only answers to this task.")] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="Not used for so many days.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All answers, those that are of use too.")
    ] = False,
) -> None:
    """Remove from the journal what another version wrote, or what the options name.

    Samples and hidden states in the folder of results stay. Damaged files are removed too.

    Example: slmroute journal prune

    Example: slmroute journal prune --task slmroute_mmlu --older-than 30
    """
    from slmroute_plugin.journal.code_version import code_versions
    from slmroute_plugin.journal.kept_tasks import kept_tasks, remove_tasks

    *damaged, path = _files(results)
    chosen = model is not None or task is not None or older_than is not None
    codes = code_versions()
    before = _size(path)
    with _opened(path) as connection:
        kept = kept_tasks(connection)
        _check_known("--model", model, {entry.model for entry in kept})
        _check_known("--task", task, {entry.task for entry in kept})
        going = [
            entry
            for entry in kept
            if (model is None or entry.model == model)
            and (task is None or entry.task == task)
            and (older_than is None or entry.days_unused >= older_than)
            and (chosen or everything or not entry.is_usable(codes))
        ]
        remove_tasks(connection, going)
    for file in damaged:
        for part in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            part.unlink(missing_ok=True)
    questions = sum(entry.questions for entry in going)
    freed = max(0, before - _size(path))
    typer.echo(
        f"Removed {questions} questions of {len(going)} tasks from {path} ({_in_words(freed)})"
        + (f", and {len(damaged)} damaged files." if damaged else ".")
    )


def _check_known(option: str, name: str | None, known: set[str]) -> None:
    """Refuse a model or a task that the journal does not hold.

    Raises:
        typer.BadParameter: the journal does not hold it.
    """
    if name is not None and name not in known:
        raise typer.BadParameter(
            f"the journal holds none called {name!r}. {did_you_mean(name, known)}",
            param_hint=repr(option),
        )


def _files(results: Path) -> list[Path]:
    """Find the files of a journal: the damaged ones, and last the one in use.

    Raises:
        typer.Exit: there is no journal.
    """
    from slmroute_plugin.journal.database import FOLDER, journal_files

    files = journal_files(results / FOLDER)
    if not files[-1].exists():
        typer.echo(f"There is no journal in {results}.", err=True)
        raise typer.Exit(1)
    return files


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal within the block.

    Raises:
        typer.Exit: it is damaged, or cannot be used now; that may show within the block too.
    """
    from slmroute_plugin.journal.database import connect, is_damage

    try:
        with closing(connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        said = f"{path} cannot be used now ({error}): another process may be using it."
        if is_damage(error):
            said = (
                f"{path} is damaged ({error}). A run begins a fresh journal beside it; this file "
                "may be deleted."
            )
        typer.echo(said, err=True)
        raise typer.Exit(1) from error


def _size(path: Path) -> int:
    """Sum the bytes of a journal's file and of its write-ahead log."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def _in_words(size: int) -> str:
    """Print a number of bytes in MiB."""
    return f"{size / 2**20:.1f} MiB"
