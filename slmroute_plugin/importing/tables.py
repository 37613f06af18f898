"""The reading of tables: CSV, JSON lines, parquet, and the manager that lm-polygraph saves."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.importing.faults import Faults, ImportFault
from slmroute_plugin.importing.polygraph import polygraph_columns
from slmroute_plugin.storage.sample_files import SampleFileError, UnreadLine, numbered_samples

_LONGEST_CELL = 2**31 - 1


class TableRow(NamedTuple):
    """A row of a table.

    Attributes:
        where: The place of the row in its file: "line 3" from 1 on, or "row 3" from 1 on in a
            file without lines.
        values: The values by column.
        is_typed: Whether the file knows an empty text from a missing value, and a list from a
            text.
    """

    where: str
    values: Mapping[str, Any]
    is_typed: bool = True


def read_table(path: Path, faults: Faults) -> Iterator[TableRow]:
    """Yield the rows of a table in the order of its file, whose suffix says what it is.

    Values of CSV are texts. Lines without anything on them are passed over.

    Args:
        path: The file: `.csv`, `.tsv`, `.jsonl`, `.parquet`, or `.man` of lm-polygraph.
        faults: Is told of each line that holds no row.

    Raises:
        ImportFault: If the file cannot be read as a table.
    """
    readers: dict[str, Callable[[Path, Faults], Iterator[TableRow]]] = {
        ".csv": _csv_rows,
        ".tsv": _csv_rows,
        ".jsonl": _json_rows,
        ".parquet": _parquet_rows,
        ".man": _polygraph_rows,
    }
    if path.suffix.lower() not in readers:
        known = ", ".join(readers)
        raise ImportFault(
            f"{path}: a file that ends in {path.suffix or 'nothing'!r} is not known, only {known}."
        )
    try:
        yield from readers[path.suffix.lower()](path, faults)
    except OSError as error:
        raise ImportFault(f"{path} cannot be read: {error.strerror or error}.") from error


def _csv_rows(path: Path, faults: Faults) -> Iterator[TableRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        # By default, longer cells than 131,072 letters are refused: prompts may be longer.
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        begin = 1
        try:
            for cells in reader:
                where, begin = f"line {begin}", reader.line_num + 1
                if not cells:
                    continue
                if header is None:
                    header = _checked_header(path, cells)
                elif len(cells) != len(header):
                    faults.add(where, f"{len(cells)} cells, but there are {len(header)} columns")
                else:
                    yield TableRow(where, dict(zip(header, cells, strict=True)), is_typed=False)
        except csv.Error as error:
            raise ImportFault(f"{path}, line {begin}: it is not CSV ({error}).") from None
        except UnicodeDecodeError:
            raise ImportFault(_undecodable(path)) from None


def _undecodable(path: Path) -> str:
    """Name the first line of a file that is not UTF-8.

    The reader's own error counts from the beginning of its buffer.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f"{path}, line {number}: it is not text in UTF-8 ({error})."
    return f"{path}: it is not text in UTF-8."


def _checked_header(path: Path, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImportFault(f"{path}: the column {twice[0]!r} is there more than once.")
    return names


def _json_rows(path: Path, faults: Faults) -> Iterator[TableRow]:
    def tell(line: UnreadLine) -> None:
        if line.content.strip():
            faults.add(f"line {line.number}", line.fault)

    try:
        for line in numbered_samples(path, tell):
            yield TableRow(f"line {line.line}", line.row)
    except SampleFileError as error:
        raise ImportFault(f"{error}.") from None


def _parquet_rows(path: Path, faults: Faults) -> Iterator[TableRow]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        file = ParquetFile(path)
        _checked_header(path, file.schema_arrow.names)
        for batch in file.iter_batches():
            for values in batch.to_pylist():
                number += 1
                yield TableRow(f"row {number}", values)
    except (UnicodeDecodeError, OverflowError) as error:
        raise ImportFault(
            f"{path}, behind row {number}: a value cannot be read ({error})."
        ) from None
    except pa.ArrowException as error:
        raise ImportFault(f"{path}: it is not parquet ({error}).") from None


def _polygraph_rows(path: Path, faults: Faults) -> Iterator[TableRow]:
    columns = polygraph_columns(path)
    for number, values in enumerate(zip(*columns.values(), strict=True), 1):
        yield TableRow(f"row {number}", dict(zip(columns, values, strict=True)))
