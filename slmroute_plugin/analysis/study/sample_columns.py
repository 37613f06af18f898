"""The columns of one sample file that the analysis needs, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.json

from slmroute_plugin.storage.sample_files import SLM_FILTER, SampleFileError, read_samples

_CONFIDENCE, _CORRECT, _FITTED_ON = "confidence/", "acc/", "fitted_on/"
# Long enough for a line that holds a whole passage with its questions.
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Wanted:
    """Names of the columns of a file.

    Attributes:
        numbers: columns of numbers or null.
        texts: columns of texts or null.
        methods: methods that have a confidence.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    methods: tuple[str, ...]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Wanted:
        """The columns to be had in a file with a row like this one."""
        prefixes = (_CONFIDENCE, _CORRECT)
        numbers = [name for name in row if name in ("acc", "cost_usd") or name.startswith(prefixes)]
        texts = [name for name in row if name == "doc_hash" or name.startswith(_FITTED_ON)]
        methods = [name.removeprefix(_CONFIDENCE) for name in row if name.startswith(_CONFIDENCE)]
        return cls(tuple(numbers), tuple(texts), tuple(methods))


def read_columns(path: Path) -> tuple[Wanted, pa.Table]:
    """The rows under the filter `slm`: `doc_id`, and the columns of `Wanted`.

    Raises:
        SampleFileError: a line that cannot be read, a value of the wrong type or outside its
            range, no such rows, or one question twice.
    """
    wanted = _wanted(path)
    try:
        table = _read_fast(path, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError):
        table = _read_slowly(path, wanted)
    _check(path, wanted, table)
    return wanted, table


def _wanted(path: Path) -> Wanted:
    for row in read_samples(path):
        if row.get("filter") == SLM_FILTER:
            if missing := [name for name in ("doc_id", "doc_hash", "acc") if name not in row]:
                raise SampleFileError(f"{path}: its rows have no {', '.join(missing)}")
            return Wanted.of(row)
    raise SampleFileError(
        f"{path}: no rows under the filter {SLM_FILTER!r}, as slmroute's tasks have"
    )


def _schema(wanted: Wanted) -> pa.Schema:
    return pa.schema(
        [
            ("doc_id", pa.int64()),
            ("filter", pa.string()),
            *((name, pa.float64()) for name in wanted.numbers),
            *((name, pa.string()) for name in wanted.texts),
        ]
    )


def _read_fast(path: Path, wanted: Wanted) -> pa.Table:
    how = pyarrow.json.ParseOptions(
        explicit_schema=_schema(wanted), unexpected_field_behavior="ignore"
    )
    # Whoever reads many files does so in threads of its own.
    blocks = pyarrow.json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    table = pyarrow.json.read_json(path, read_options=blocks, parse_options=how)
    return table.filter(pa.compute.equal(table["filter"], SLM_FILTER))


def _read_slowly(path: Path, wanted: Wanted) -> pa.Table:
    """Line by line, to name the one that is at fault."""
    columns: dict[str, list[Any]] = {name: [] for name in _schema(wanted).names}
    for number, row in enumerate(read_samples(path), 1):
        if row.get("filter") != SLM_FILTER:
            continue
        if fault := _fault(row, wanted):
            raise SampleFileError(f"{path}, line {number}: {fault}")
        for name, values in columns.items():
            values.append(row.get(name))
    return pa.table(columns, schema=_schema(wanted))


def _fault(row: Mapping[str, Any], wanted: Wanted) -> str | None:
    doc_id = row.get("doc_id")
    if not isinstance(doc_id, int) or isinstance(doc_id, bool) or abs(doc_id) >= 2**63:
        return f"`doc_id` is {doc_id!r}, no whole number"
    for name in wanted.numbers:
        value = row.get(name)
        if value is not None and not (_is_number(value) and math.isfinite(value)):
            return f"`{name}` is {value!r}, no number"
    for name in wanted.texts:
        if not isinstance(row.get(name), str | None):
            return f"`{name}` is {row[name]!r}, no text"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(path: Path, wanted: Wanted, table: pa.Table) -> None:
    if table["doc_id"].null_count or table["doc_hash"].null_count:
        raise SampleFileError(f"{path}: a row has no doc_id or no doc_hash")
    if len(pa.compute.unique(table["doc_id"])) < len(table):
        counts = pa.compute.value_counts(table["doc_id"]).to_pylist()
        twice = next(each["values"] for each in counts if each["counts"] > 1)
        raise SampleFileError(f"{path}: the question with doc_id {twice} is there more than once")
    verdicts = [name for name in wanted.numbers if name == "acc" or name.startswith(_CORRECT)]
    for name in verdicts:
        _check_values(path, table, name, _neither(table[name]), "must be 0 or 1")
    for method in wanted.methods:
        values = table[f"{_CONFIDENCE}{method}"]
        outside = pa.compute.invert(pa.compute.and_(
            pa.compute.greater_equal(values, 0), pa.compute.less_equal(values, 1)
        ))  # fmt: skip
        _check_values(path, table, f"{_CONFIDENCE}{method}", outside, "must lie in [0, 1]")


def _neither(values: Any) -> Any:
    is_verdict = pa.compute.is_in(values, value_set=pa.array([0.0, 1.0]))
    return pa.compute.invert(is_verdict)


def _check_values(path: Path, table: pa.Table, name: str, faulty: Any, rule: str) -> None:
    if pa.compute.any(faulty).as_py():
        row = pa.compute.index(faulty, True).as_py()
        doc_id, value = table["doc_id"][row], table[name][row]
        raise SampleFileError(f"{path}, doc_id {doc_id}: `{name}` is {value}, it {rule}")


def distinct_texts(table: pa.Table, name: str) -> Iterable[str]:
    """The different values of a column of texts; none if there is no such column."""
    if name not in table.column_names:
        return ()
    return [value for value in pa.compute.unique(table[name]).to_pylist() if value is not None]
