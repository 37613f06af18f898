"""Results through a URL, for machines that share no folder: any that fsspec can write to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import fsspec

from slmroute_plugin.sweep.records import Record
from slmroute_plugin.whole_files import written_whole


@dataclass(frozen=True)
class Store:
    """A place for files.

    Attributes:
        url: as fsspec has it: `s3://bucket/folder`, `gs://…`, `file:///…`.
    """

    url: str

    def put(self, folder: Path, names: Sequence[str]) -> None:
        """Copy files of a folder there."""
        system, root = fsspec.url_to_fs(self.url)
        for name in names:
            system.makedirs(f"{root}/{Path(name).parent.as_posix()}", exist_ok=True)
            system.put_file(str(folder / name), f"{root}/{name}")

    def get(self, name: str, path: Path) -> None:
        """Copy a file from there."""
        system, root = fsspec.url_to_fs(self.url)
        with written_whole(path) as unfinished:
            system.get_file(f"{root}/{name}", str(unfinished))


def fetched(record: Record, store: Store, results: Path) -> Record:
    """A record whose log and files have been brought into the folder of results."""
    if not record.log:
        # The node was lost, and has told nothing.
        return record
    try:
        for name in (record.log, *record.files):
            store.get(name, results / name)
    except OSError as error:
        why = (f"its files could not be fetched from {store.url}: {error}",)
        return replace(record, state="failed", files=(), tail=why)
    return record
