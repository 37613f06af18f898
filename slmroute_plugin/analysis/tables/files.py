"""Tables on disk: CSV that a spreadsheet can open without harm, and Parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from slmroute_plugin.storage.atomic_write import written_whole


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table to a file, as CSV or Parquet by its ending; undefined cells stay empty."""
    with written_whole(path) as unfinished:
        if path.suffix == ".parquet":
            frame.to_parquet(unfinished, index=False)
        else:
            _harmless(frame).to_csv(unfinished, index=False)
    return path


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before each text that a spreadsheet would take for a formula."""
    texts = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].map(_no_formula) for name in texts})


def _no_formula(value: object) -> object:
    """Put an apostrophe before a value if it is a text that begins like a formula."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value
