"""The columns of one sample file that the analysis needs, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from slmroute_plugin.analysis.study.stock_rows import answering_lines
from slmroute_plugin.analysis.study.work import (
    NEGATIVE,
    values_of,
    work_numbers,
    work_numbers_among,
)
from slmroute_plugin.storage.column_names import (
    COMBINES,
    CONFIDENCE,
    CORRECT,
    FITTED_ON,
    METHOD_COST,
)
from slmroute_plugin.storage.sample_files import (
    ANSWERED,
    SampleFileError,
    UnreadLine,
    lines_in_words,
)

_TEXTS = ("doc_hash", "prompt_hash")
_TEXTS_BY_METHOD = (FITTED_ON, COMBINES)
# Of more rows, the garbage collector would look through again and again.
_AT_ONCE = 10


@dataclass(frozen=True)
class Wanted:
    """The names of the columns to read from a file.

    Attributes:
        numbers: the columns of numbers or null.
        texts: the columns of texts or null.
        methods: the methods that have a column of confidences.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    methods: tuple[str, ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Wanted:
        """Name the columns that the analysis needs, out of those that a row has."""
        prefixes = (CONFIDENCE, CORRECT, METHOD_COST)
        numbers = [name for name in row if name in ("acc", "cost_usd") or name.startswith(prefixes)]
        numbers += work_numbers(row)
        texts = [name for name in row if name in _TEXTS or name.startswith(_TEXTS_BY_METHOD)]
        methods = [name.removeprefix(CONFIDENCE) for name in row if name.startswith(CONFIDENCE)]
        return cls(tuple(numbers), tuple(texts), tuple(methods))


class Columns(NamedTuple):
    """The columns of a sample file.

    Attributes:
        wanted: the names of the columns.
        table: one row for each answer, `doc_id` and the columns of `wanted`: the rows under the
            filter `slm`, or those of a stock run of lm-eval.
        unread: the lines that hold no row.
    """

    wanted: Wanted
    table: pa.Table
    unread: Sequence[UnreadLine]


def read_columns(path: Path) -> Columns:
    """Read the rows that hold the answers; a line that holds no row costs itself alone.

    Raises:
        SampleFileError: a value of the wrong type or outside its range, no such rows, or one
            question twice.
    """
    unread: list[UnreadLine] = []
    wanted: Wanted | None = None
    columns: dict[str, list[Any]] = {}
    rows = (line.row for line in answering_lines(path, unread.append))
    # Several rows at a time take half as long as one by one.
    while some := list(islice(rows, _AT_ONCE)):
        if wanted is None:
            wanted = _wanted(path, some[0])
            columns = {name: [] for name in _schema(wanted).names}
        for name, values in columns.items():
            values += values_of(some, name)
    if wanted is None:
        damage = f" ({lines_in_words(unread)})" if unread else ""
        raise SampleFileError(f"{path}: no rows of answers{damage}")
    table = _table(path, wanted, columns)
    _check(path, wanted, table)
    return Columns(wanted, table, unread)


def _wanted(path: Path, row: Mapping[str, Any]) -> Wanted:
    """Name the columns to read, by the first row of an answer.

    Raises:
        SampleFileError: the row lacks `doc_id`, `doc_hash` or `acc`, or questions were routed
            before they were answered.
    """
    if ANSWERED in row:
        raise SampleFileError(
            f"{path}: questions were routed before the SLM answered them, so it is not known "
            "where it would have been right. Run the task without `when: before` too"
        )
    if missing := [name for name in ("doc_id", "doc_hash", "acc") if name not in row]:
        where = f"its rows under the filter {row.get('filter')!r}"
        raise SampleFileError(f"{path}: {where} have no {', '.join(missing)}")
    return Wanted.of(row)


def _schema(wanted: Wanted) -> pa.Schema:
    """Give each column its type: int64 for `doc_id`, float64 for numbers, string for texts."""
    return pa.schema(
        [
            ("doc_id", pa.int64()),
            *((name, pa.float64()) for name in wanted.numbers),
            *((name, pa.string()) for name in wanted.texts),
        ]
    )


def _table(path: Path, wanted: Wanted, columns: Mapping[str, list[Any]]) -> pa.Table:
    """Turn columns of values into a table.

    Raises:
        SampleFileError: a value has the wrong type; the text names its line.
    """
    schema = _schema(wanted)
    try:
        arrays = [_array(columns[field.name], field.type) for field in schema]
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise SampleFileError(_first_fault(path, wanted)) from None
    return pa.table(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Turn values into an array of a type.

    Raises:
        TypeError, ValueError, pa.ArrowException: a value has another type.
    """
    # What pyarrow finds in the values says more than what it would make of them: a truth value
    # is not a number, and neither is a text.
    array = pa.array(values)
    is_number = pa.types.is_integer(array.type) or (
        kind == pa.float64() and pa.types.is_floating(array.type)
    )
    is_text = kind == pa.string() and array.type == kind
    if not (array.type == pa.null() or is_text or (is_number and kind != pa.string())):
        raise TypeError(f"{array.type} in a column of {kind}")
    return array.cast(kind)


def _first_fault(path: Path, wanted: Wanted) -> str:
    """Return what is wrong with the first row that cannot be used, named with its line."""
    for line in answering_lines(path, lambda _: None):
        if fault := _fault(line.row, wanted):
            return f"{path}, line {line.line}: {fault}"
    return f"{path}: a value that is too large"


def _fault(row: Mapping[str, Any], wanted: Wanted) -> str | None:
    """Return the first value of a row that has the wrong type, in words; None if there is none."""
    doc_id = row.get("doc_id")
    if not isinstance(doc_id, int) or isinstance(doc_id, bool) or abs(doc_id) >= 2**63:
        return f"`doc_id` is {doc_id!r}, not a whole number"
    for name in wanted.numbers:
        (value,) = values_of([row], name)
        if value is not None and not (_is_number(value) and math.isfinite(value)):
            return f"`{name}` is {value!r}, not a number"
    for name in wanted.texts:
        if not isinstance(row.get(name), str | None):
            return f"`{name}` is {row[name]!r}, not a text"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(path: Path, wanted: Wanted, table: pa.Table) -> None:
    """Check the values of a table.

    Raises:
        SampleFileError: a row lacks `doc_id` or `doc_hash`, a question occurs twice, a verdict is
            neither 0 nor 1, or a confidence lies outside [0, 1].
    """
    if table["doc_id"].null_count or table["doc_hash"].null_count:
        raise SampleFileError(f"{path}: a row has no doc_id or no doc_hash")
    if len(pa.compute.unique(table["doc_id"])) < len(table):
        counts = pa.compute.value_counts(table["doc_id"]).to_pylist()
        twice = next(entry["values"] for entry in counts if entry["counts"] > 1)
        raise SampleFileError(f"{path}: the question with doc_id {twice} is there more than once")
    verdicts = [name for name in wanted.numbers if name == "acc" or name.startswith(CORRECT)]
    for name in verdicts:
        _check_values(path, table, name, _neither(table[name]), "must be 0 or 1")
    for name in work_numbers_among(wanted.numbers):
        faulty = pa.compute.less(table[name], 0)
        _check_values(path, table, name, faulty, NEGATIVE)
    for method in wanted.methods:
        values = table[f"{CONFIDENCE}{method}"]
        outside = pa.compute.invert(pa.compute.and_(
            pa.compute.greater_equal(values, 0), pa.compute.less_equal(values, 1)
        ))  # fmt: skip
        _check_values(path, table, f"{CONFIDENCE}{method}", outside, "must lie in [0, 1]")


def _neither(values: Any) -> Any:
    """Mark the values that are neither 0 nor 1."""
    is_verdict = pa.compute.is_in(values, value_set=pa.array([0.0, 1.0]))
    return pa.compute.invert(is_verdict)


def _check_values(path: Path, table: pa.Table, name: str, faulty: Any, rule: str) -> None:
    """Raise an error that names the first faulty value of a column and its `doc_id`.

    Raises:
        SampleFileError: a value is marked as faulty.
    """
    if pa.compute.any(faulty).as_py():
        row = pa.compute.index(faulty, True).as_py()
        doc_id, value = table["doc_id"][row], table[name][row]
        raise SampleFileError(f"{path}, doc_id {doc_id}: `{name}` is {value}, it {rule}")


def distinct_texts(table: pa.Table, name: str) -> Iterable[str]:
    """List the distinct texts of a column; none if the table lacks the column."""
    if name not in table.column_names:
        return ()
    return [value for value in pa.compute.unique(table[name]).to_pylist() if value is not None]
