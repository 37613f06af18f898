"""`slmroute tasks`: the folder of our tasks, their list, stock tasks wrapped, one's own begun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli import own_tasks
from slmroute_plugin.include_path import include_path

app = typer.Typer(rich_markup_mode="markdown")
app.command()(own_tasks.new)
app.command()(own_tasks.check)


class TaskRow(NamedTuple):
    """A task and the tags that stand for it in `--tasks`."""

    name: str
    tags: tuple[str, ...]


@app.callback(invoke_without_command=True)
def tasks(
    context: typer.Context,
    as_list: Annotated[
        bool, typer.Option("--list", help="List the tasks and their tags instead.")
    ] = False,
) -> None:
    """Print the folder to give to lm-eval's --include_path, and nothing else.

    Example: lm_eval --model hf --model_args pretrained=Qwen/Qwen3-0.6B
    --tasks slmroute_gsm8k --include_path $(slmroute tasks)

    Example: slmroute tasks --list
    """
    if context.invoked_subcommand is not None:
        return
    try:
        folder = include_path()
    except FileNotFoundError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if not as_list:
        typer.echo(str(folder))
        return
    table = Table(Column("Task", no_wrap=True), "Tags", title=f"Tasks in {folder}")
    for row in _task_rows(folder):
        table.add_row(row.name, ", ".join(row.tags))
    # Brackets in names are not markup.
    Console(markup=False, highlight=False).print(table)


@app.command()
def wrap(
    names: Annotated[
        list[str],
        typer.Argument(help="Tasks, groups and tags that come with lm-eval.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option(help="The folder to write to, for --include_path.", show_default=False)
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            help="The metric that is 1 for a right answer and 0 for a wrong one; default: the "
            "first that is known to be so."
        ),
    ] = None,
    filter_name: Annotated[
        str | None,
        typer.Option("--filter", help="The filter that it is taken under; default: the last."),
    ] = None,
    lettered: Annotated[
        bool,
        typer.Option(
            "--lettered",
            help="For multiple choice by likelihood, write NAME_lettered too: the same rows, asked "
            "with lettered options, so that the methods of uq run on them.",
        ),
    ] = False,
    skip: Annotated[
        bool,
        typer.Option(
            "--skip",
            help="Leave out the tasks that cannot be wrapped; default: write nothing then.",
        ),
    ] = False,
) -> None:
    """Write a short task file for each stock task of lm-eval, so that its answers get confidences.

    Prompts, few-shot examples, filters, metrics and scores stay as they are. A wrapped task keeps
    its name, and lm-eval takes it in place of its own where --include_path gives the folder.

    Example: slmroute tasks wrap gsm8k triviaqa mmlu --out my_tasks

    Example: lm_eval --model hf … --tasks gsm8k,mmlu --include_path my_tasks --log_samples
    """
    # lm-eval takes seconds to import, which `--help` and the bare path must not cost.
    from slmroute_plugin.harness import TaskManager
    from slmroute_plugin.task.wrapped_files import HEADER, CannotWrap, wrapped_files

    left_out: list[str] = []
    try:
        files = wrapped_files(
            names,
            TaskManager().task_index,
            metric,
            filter_name,
            left_out if skip else None,
            lettered,
        )
    except CannotWrap as error:
        typer.echo(f"{error}\nNothing was written.", err=True)
        raise typer.Exit(1) from None
    for fault in left_out:
        typer.echo(f"Left out: {fault}", err=True)
    if not files:
        typer.echo("Nothing was written.", err=True)
        raise typer.Exit(1)
    foreign = [path for file in files if _is_foreign(path := out / file.name, HEADER)]
    if foreign:
        typer.echo(
            f"{foreign[0]} is there, and was not written by `slmroute tasks wrap`: choose another "
            "folder, or move the file. Nothing was written.",
            err=True,
        )
        raise typer.Exit(1)
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        (out / file.name).write_text(file.text, encoding="utf-8")
    typer.echo(f"{len(files)} task file{'s' if len(files) > 1 else ''} written to {out}")


def _is_foreign(path: Path, header: str) -> bool:
    return path.exists() and not path.read_bytes().startswith(header.encode())


def _task_rows(folder: Path) -> list[TaskRow]:
    # lm-eval takes seconds to import, which `--help` and the bare path must not cost.
    from slmroute_plugin.harness import TaskManager

    manager = TaskManager(include_path=folder, include_defaults=False)
    index = manager.task_index
    return [TaskRow(name, tuple(sorted(index[name].tags))) for name in manager.all_subtasks]
