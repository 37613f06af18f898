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
    import yaml

    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option} {assignment!r}: write KEY=VALUE.")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise typer.BadParameter(
                f"{option} {assignment!r}: {value!r} is not YAML: {error}"
            ) from None
    return values
