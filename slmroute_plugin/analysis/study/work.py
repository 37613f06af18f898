"""What the answers of a run took, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.storage.column_names import METHOD_WORK

Floats = NDArray[np.float64]

ANSWER = "work/answer"
NEGATIVE = "must not be negative"
_BEFORE = "before_answer"
_COUNTS = ("read", "cached", "generated")
# A name in a table of columns, for a number within the values of a sample's column.
_WITHIN = " → "


@dataclass(frozen=True, eq=False)
class RowWork:
    """The work for each of n answers; NaN where it is not known.

    Attributes:
        read: [n]: the prompt tokens that were read.
        cached: [n]: the prompt tokens that a cache held.
        generated: [n]: the tokens that were generated.
        seconds: [n]: the seconds.
    """

    read: Floats
    cached: Floats
    generated: Floats
    seconds: Floats

    @classmethod
    def unknown(cls, n: int) -> RowWork:
        """Return the work for n answers of which nothing is known."""
        return cls(*(np.full(n, np.nan) for _ in range(4)))

    @classmethod
    def among(cls, table: Any, method: str | None = None) -> RowWork:
        """Take the work for the answers, or for a method, out of a table of columns.

        That of a method which can decide before there is an answer is what it takes without one.
        """
        names = _names(method, before=decides_before(table.column_names, method))
        if any(name not in table.column_names for name in names):
            return cls.unknown(len(table))
        return cls(*(table[name].to_numpy().astype(np.float64) for name in names))

    @property
    def tokens(self) -> Floats:
        """The number of tokens read and generated: [n]."""
        return self.read + self.generated

    def dollars(self, price: ModelPrice) -> Floats:
        """Return the dollars of each answer: [n]."""
        return np.asarray(price.dollars(self.read, self.cached, self.generated, self.seconds))

    def taken(self, rows: NDArray[np.intp]) -> RowWork:
        """Return the work for the rows at these places."""
        return RowWork(
            *(part[rows] for part in (self.read, self.cached, self.generated, self.seconds))
        )


def work_numbers(row: Mapping[str, Any]) -> list[str]:
    """Name the numbers within a row's columns of work: of the answer, and of each method.

    Those of a method are what it takes alone, or, if it can decide before there is an answer, what
    it takes without one.
    """
    methods = [name.removeprefix(METHOD_WORK) for name in row if name.startswith(METHOD_WORK)]
    before = {
        method: isinstance(taken := row[f"{METHOD_WORK}{method}"], Mapping) and _BEFORE in taken
        for method in methods
    }
    return [
        name
        for method in ([None, *methods] if ANSWER in row else methods)
        for name in _names(method, before=method is not None and before[method])
    ]


def decides_before(names: Iterable[str], method: str | None) -> bool:
    """Tell by the names that `work_numbers` made whether a method can decide before an answer."""
    return method is not None and _names(method, before=True)[0] in names


def work_numbers_among(names: Iterable[str]) -> list[str]:
    """Return those of the names that `work_numbers` makes."""
    return [name for name in names if _WITHIN in name]


def values_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """List the value of each row that a name stands for, within a column if it says so.

    >>> values_of([{"work/answer": {"read": 7}}, {}], "work/answer → read")
    [7, None]
    """
    values: list[Any] = list(rows)
    for key in name.split(_WITHIN):
        values = [value.get(key) if isinstance(value, dict) else None for value in values]
    return values


def _names(method: str | None, *, before: bool = False) -> list[str]:
    """Name the numbers of an answer's work, or of a method's, in the order of `RowWork`.

    Args:
        method: the method; None for the answer.
        before: whether the method's work without an answer is meant, rather than that alone.
    """
    column: tuple[str, ...] = (ANSWER,)
    seconds = ("seconds", "signals", "answer")
    if method is not None:
        column = (f"{METHOD_WORK}{method}", _BEFORE if before else "alone")
        seconds = ("seconds", _BEFORE if before else "methods", method)
    return [_WITHIN.join(path) for path in (*((*column, count) for count in _COUNTS), seconds)]
