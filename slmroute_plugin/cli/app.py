"""The command `slmroute`: its subcommands, its methods and tasks, and where lm-eval finds them."""

from __future__ import annotations

import inspect
import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from typer.core import TyperGroup

from slmroute_plugin.cli import calibrate as calibrate_command
from slmroute_plugin.cli import check as check_command
from slmroute_plugin.cli import explain as explain_command
from slmroute_plugin.cli import export as export_command
from slmroute_plugin.cli import importing as import_command
from slmroute_plugin.cli import journal as journal_commands
from slmroute_plugin.cli import judge as judge_commands
from slmroute_plugin.cli import probes as probe_commands
from slmroute_plugin.cli import report as report_commands
from slmroute_plugin.cli import serve as serve_command
from slmroute_plugin.cli import sweep as sweep_command
from slmroute_plugin.cli import tasks as task_commands
from slmroute_plugin.cli import vllm_args as vllm_args_command
from slmroute_plugin.plugins.methods import registered_methods


class _Commands(TyperGroup):
    """The commands: they run on any terminal, and say in one line what a disk refuses."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        if isinstance(sys.stdout, TextIOWrapper):
            # On a terminal that knows ASCII alone, one arrow or dash would end the command with
            # a traceback. What goes to stderr cannot fail: Python writes escapes there.
            sys.stdout.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as of `slmroute … | head`, which typer knows
            raise
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.filename else error
            typer.echo(f"Error: {said}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    epilog="Evaluations themselves are stock lm-eval: "
    "lm_eval --model hf … --tasks slmroute --include_path $(slmroute tasks)",
)

app.add_typer(probe_commands.app, name="probes")
app.add_typer(journal_commands.app, name="journal")
app.add_typer(task_commands.app, name="tasks")
app.command()(probe_commands.score)
app.command()(judge_commands.judge)
app.command(name="import")(import_command.import_results)
app.command()(report_commands.report)
app.command()(calibrate_command.calibrate)
app.command()(check_command.check)
app.command()(explain_command.explain)
app.command()(export_command.export)
app.command()(serve_command.serve)
app.command()(sweep_command.sweep)
app.command()(vllm_args_command.vllm_args)


def _print_version(wanted: bool) -> None:
    """Print the version and exit, if that is wanted."""
    if wanted:
        typer.echo(version("slmroute"))
        raise typer.Exit


@app.callback()
def slmroute(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Give every answer of a small language model a confidence, and route by it, inside lm-eval."""


@app.command()
def methods() -> None:
    """List the uncertainty methods: what each asks of the model, and where it comes from.

    Methods of other packages appear here as soon as they are installed.

    Example: slmroute methods

    Example: lm_eval … --metadata '{"slmroute": {"uq": ["perplexity", "p_true"]}}'
    """
    table = Table(
        Column("Method", no_wrap=True),
        Column("Asks the model for", overflow="fold"),
        Column("Comes from", overflow="fold"),
        Column("What it is", overflow="fold"),
        show_lines=True,
    )
    for name, registered in registered_methods().items():
        kind = type(registered.method)
        table.add_row(
            name,
            "\n".join(signal.in_words() for signal in registered.method.asks) or "nothing",
            f"{registered.distribution}\n{kind.__module__}",
            _first_line(kind),
        )
    # Brackets in a plugin's own words are not markup.
    Console(markup=False, highlight=False).print(table)


def _first_line(kind: type) -> str:
    """Return the first line of a class's own docstring, or its name if it has none."""
    # `vars` rather than `inspect.getdoc`, which would fall back to a base class's text.
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    return text.partition("\n")[0] or kind.__name__
