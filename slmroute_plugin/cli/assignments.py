"""Options of the form KEY=VALUE, whose values are YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer


def assigned(assignments: Iterable[str], option: str) -> dict[str, Any]:
    """Read assignments.

    Args:
        assignments: The values of the option.
        option: The option, for errors.

    Raises:
        typer.BadParameter: an assignment has no equals sign, or its value is not YAML.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option} {assignment!r}: write KEY=VALUE.")
        values[key] = yaml_value(value, f"{option} {assignment!r}")
    return values


def yaml_value(text: str, where: str) -> Any:
    """Read a value that is written in YAML.

    Args:
        text: The value.
        where: What it belongs to, for errors.

    Raises:
        typer.BadParameter: the text is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise typer.BadParameter(f"{where}: {text!r} is not YAML: {error}") from None
