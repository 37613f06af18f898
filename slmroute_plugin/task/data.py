"""The data set of a task: its folder on disk, and the errors for a data set that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path


def mirrored(dataset: str | None) -> str | None:
    """Return the data set's folder `$SLMROUTE_DATA/<org>/<name>`; None without such a folder."""
    mirror = os.environ.get("SLMROUTE_DATA")
    if not mirror or not dataset or not (Path(mirror) / dataset).is_dir():
        return None
    return str(Path(mirror).resolve() / dataset)


@contextmanager
def named_dataset(task: str, dataset: str | None) -> Iterator[None]:
    """Name the task and the data set in errors of a `with` block that loads the data set.

    Raises:
        ValueError: If the data set cannot be loaded, or if its files hold no row.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"{task}: the dataset {dataset!r} could not be loaded ({error}). "
            "Without a network, set SLMROUTE_DATA to a folder that holds it as <org>/<name>."
        ) from error
    except StopIteration:  # what `datasets` raises on files without a line
        raise ValueError(f"{task}: the dataset {dataset!r} has no rows.") from None


def check_split(
    task: str, dataset: str | None, splits: Mapping[str, Sized], split: str | None
) -> None:
    """Check that a loaded data set has rows in the split that is evaluated.

    Raises:
        ValueError: If the split is missing or has no rows.
    """
    if split is None or split not in splits:
        raise ValueError(
            f"{task}: the dataset {dataset!r} has no split {split!r}, only {sorted(splits)}."
        )
    if len(splits[split]) == 0:
        raise ValueError(f"{task}: the split {split!r} of the dataset {dataset!r} has no rows.")
