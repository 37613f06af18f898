"""The checks of values that a method's options may have."""

from __future__ import annotations

import math
from collections.abc import Collection


def check_known(option: str, value: str, known: Collection[str]) -> None:
    """Check that a value is one of those that an option may have.

    Raises:
        ValueError: If it is not; names the option and the values.
    """
    if value not in known:
        raise ValueError(f"`{option}` must be one of {', '.join(known)}, not {value!r}")


def check_positive(option: str, value: float) -> None:
    """Check that a value is above 0 and finite.

    Raises:
        ValueError: If it is not; names the option.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"`{option}` must be a number above 0, not {value}")


def check_at_least(least: int, option: str, value: int) -> None:
    """Check that a count is not below the least that makes sense.

    Raises:
        ValueError: If it is; names the option.
    """
    if value < least:
        raise ValueError(f"`{option}` must be {least} or more, not {value}")
