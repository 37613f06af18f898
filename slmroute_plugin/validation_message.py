"""What a fault of pydantic says, for errors of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def validation_message(fault: ErrorDetails) -> str:
    """Return what a fault of pydantic says, without the kind of error that a validator raised."""
    return fault["msg"].removeprefix("Value error, ")
