"""The command line, run in this process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from slmroute_plugin.cli.app import app


def slmroute(*arguments: object) -> Result:
    """Run `slmroute` in a terminal so wide that no line is wrapped."""
    return CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "500"})


def output_of(*arguments: object) -> str:
    """Run `slmroute`, which has to succeed, and return what it says on standard output."""
    result = slmroute(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout
