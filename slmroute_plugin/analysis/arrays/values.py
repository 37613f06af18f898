"""The values that the functions are given, as arrays: checked, and taken from a frame by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slmroute_plugin.nearest import did_you_mean

Values: TypeAlias = ArrayLike | Sequence[Any]
"""Values of one column: an array, a Series or a list; or the column's name in a frame."""


def confidences_of(values: Values, name: str, data: Any = None) -> NDArray[np.float64]:
    """Return confidences [n], float64; NaN where there is none (None, NaN or a missing value).

    Raises
    ------
    ValueError
        If a value is not a number from 0 to 1; names its position.

    Examples
    --------
    >>> confidences_of([0.5, None], "confidence").tolist()
    [0.5, nan]
    """
    array = _numbers(values, name, data)
    known = ~np.isnan(array)
    _refuse(array, known & ~((array >= 0) & (array <= 1)), name, "a confidence lies in [0, 1]")
    return array


def verdicts_of(values: Values, name: str, data: Any = None) -> NDArray[np.bool_]:
    """Return whether answers are right: [n], bool.

    Raises
    ------
    ValueError
        If a value is missing, or neither 0 nor 1, True nor False; names its position.

    Examples
    --------
    >>> verdicts_of([1.0, 0, True], "correct").tolist()
    [True, False, True]
    """
    array = _numbers(values, name, data)
    _refuse(array, ~((array == 0) | (array == 1)), name, "it must be 0 or 1, True or False")
    right: NDArray[np.bool_] = array == 1
    return right


class Assessed(NamedTuple):
    """The answers of a model, and the confidences in them.

    Attributes:
        confidence: [n], float64; NaN where there is none.
        correct: [n], bool.
    """

    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]


def assessed_of(confidence: Values, correct: Values, data: Any = None) -> Assessed:
    """Return confidences and whether the answers are right, checked.

    Raises
    ------
    ValueError
        If a value is out of its range, or if there are not as many of one as of the other.

    Examples
    --------
    >>> assessed_of([0.5], [1]).correct.tolist()
    [True]
    """
    assessed = Assessed(
        confidences_of(confidence, "confidence", data), verdicts_of(correct, "correct", data)
    )
    check_lengths(assessed._asdict())
    return assessed


def dollars_of(values: Values | None, data: Any = None) -> NDArray[np.float64] | None:
    """Return dollars `cost_usd` [n], float64, NaN where they are not known; None if none are given.

    Raises
    ------
    ValueError
        If a value is below 0 or infinite; names its position.
    """
    if values is None:
        return None
    array = _numbers(values, "cost_usd", data)
    wrong = ~np.isnan(array) & ~((array >= 0) & np.isfinite(array))
    _refuse(array, wrong, "cost_usd", "dollars are at least 0")
    return array


def check_lengths(columns: Mapping[str, NDArray[Any] | None]) -> None:
    """Check that all columns that are given have one length, and that it is not 0.

    Raises
    ------
    ValueError
        If they do not.
    """
    lengths = {name: len(values) for name, values in columns.items() if values is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"the columns have different numbers of rows: {shown}")
    if 0 in lengths.values():
        raise ValueError("there are no rows")


def _numbers(values: Values, name: str, data: Any) -> NDArray[np.float64]:
    if isinstance(values, str):
        if data is None:
            raise ValueError(f"{name} is {values!r}: give its frame as `data`, or the values")
        if values not in data:
            raise ValueError(
                f"data has no column {values!r}. {did_you_mean(values, map(str, data))}"
            )
        values = data[values]
    try:
        if hasattr(values, "to_numpy"):  # of pandas, whose missing values are of many kinds
            array = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            listed = values if isinstance(values, np.ndarray) else list(values)  # type: ignore[arg-type]
            array = np.asarray(
                [np.nan if each is None else each for each in listed], dtype=np.float64
            )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds values that are not numbers ({error})") from None
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions: a column of values is needed")
    return np.asarray(array, dtype=np.float64)


def _refuse(array: NDArray[np.float64], faulty: NDArray[np.bool_], name: str, rule: str) -> None:
    if faulty.any():
        at = int(np.flatnonzero(faulty)[0])
        raise ValueError(f"{name}[{at}] is {array[at]:g}: {rule}")
