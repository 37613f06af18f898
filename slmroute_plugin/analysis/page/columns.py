"""Columns of figures as compact bytes, which `script/columns.js` reads back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# As float32, confidences near 1 or 0 would be the same, and others in another bin.
_EXACT = ("confidence", "threshold")


def packed(columns: Mapping[str, Any], smooth: bool = False) -> bytes:
    """Pack columns of any lengths: the length of a JSON header (uint32), the header, the figures.

    Floats become float32, but for what rows are ordered by; integers int32, and truth values
    bytes. Text becomes a code (uint16) per row, with the labels in the header. All numbers are
    little-endian, and their bytes are sorted by significance, which is what deflate gains most
    from.

    Args:
        columns: the columns by name.
        smooth: whether to keep the second differences of the numbers' bits: for curves, whose
            neighbouring points differ little. No precision is lost by it.
    """
    header, parts = [], []
    for name, column in columns.items():
        kind, values, labels = _encoded(np.asarray(column), name.partition("/")[0] in _EXACT)
        entry: dict[str, Any] = {"name": name, "kind": kind, "n": len(values)}
        if labels is not None:
            entry["labels"] = labels
        bits = values.view(f"<u{values.itemsize}")
        if smooth and values.itemsize == 4:
            entry["differences"] = 2
            for _ in range(2):
                # Unsigned differences wrap around, and so do the sums that undo them.
                bits = np.diff(bits, prepend=bits.dtype.type(0))
        header.append(entry)
        parts.append(_by_significance(bits))
    head = json.dumps(header, ensure_ascii=False).encode()
    return len(head).to_bytes(4, "little") + head + b"".join(parts)


def _encoded(column: NDArray[Any], is_exact: bool) -> tuple[str, NDArray[Any], list[str] | None]:
    """Encode a column: its kind, its values, and for text its labels."""
    if column.dtype.kind == "f" and is_exact:
        return "exact", column.astype("<f8"), None
    if column.dtype.kind == "f":
        return "float", column.astype("<f4"), None
    if column.dtype.kind == "b":
        return "bool", column.astype("u1"), None
    if column.dtype.kind in "iu":
        return "int", column.astype("<i4"), None
    # A missing text is an empty one, as in the CSV files.
    codes, labels = pd.factorize(pd.Series(column, dtype=object).fillna("").astype(str))
    return "text", codes.astype("<u2"), [str(label) for label in labels]


def _by_significance(values: NDArray[Any]) -> bytes:
    """Sort the bytes of all values by their significance."""
    return bytes(values.view("u1").reshape(len(values), values.itemsize).T.tobytes())
