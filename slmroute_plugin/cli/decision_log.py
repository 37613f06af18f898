"""The log of decisions that a command is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from slmroute_plugin.storage.logged_requests import DecisionsRead


def read_log(path: Path, argument: str) -> DecisionsRead:
    """Read a log of decisions, and say how many of its lines hold no event.

    Args:
        path: the log.
        argument: the argument of the command that names it, for the error.

    Raises:
        typer.BadParameter: the log cannot be read.
    """
    from slmroute_plugin.storage.logged_requests import DecisionLogError, read_decisions

    try:
        read = read_decisions(path)
    except DecisionLogError as error:
        raise typer.BadParameter(str(error), param_hint=argument) from None
    if read.unread:
        typer.echo(f"Left out: {len(read.unread)} lines of {path} that hold no event", err=True)
    return read
