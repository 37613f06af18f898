"""The option `--prices` of several commands."""

from __future__ import annotations

from pathlib import Path

import typer

from slmroute_plugin.llm.model_price import PriceError, PriceList, read_prices


def stated_prices(path: Path | None) -> PriceList:
    """Read the file of prices, if one is given.

    Raises:
        typer.BadParameter: the file cannot be used.
    """
    try:
        return read_prices(path) if path is not None else {}
    except PriceError as error:
        raise typer.BadParameter(str(error), param_hint="--prices") from None
