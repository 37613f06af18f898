"""A store of results behind a URL, for machines that share no folder: any that fsspec writes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import fsspec
from fsspec import AbstractFileSystem

from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.sweep.records import CellRecord


class StoreError(Exception):
    """The error for a store that cannot be used; its text names the URL and the reason."""


@dataclass(frozen=True)
class Store:
    """A store of files.

    Attributes:
        url: the URL in fsspec's form: `s3://bucket/folder`, `gs://…`, `file:///…`.
    """

    url: str

    def put(self, folder: Path, names: Sequence[str]) -> None:
        """Copy files of a folder to the store.

        Raises:
            StoreError: the store cannot be written to.
        """
        with self._opened("written to") as (system, root):
            for name in names:
                system.makedirs(f"{root}/{Path(name).parent.as_posix()}", exist_ok=True)
                system.put_file(str(folder / name), f"{root}/{name}")

    def get(self, name: str, path: Path) -> None:
        """Copy a file from the store.

        Raises:
            StoreError: the file is not there, or cannot be read.
        """
        with self._opened("read from") as (system, root), written_whole(path) as unfinished:
            system.get_file(f"{root}/{name}", str(unfinished))

    def check(self) -> None:
        """Write a file to the store, read it, and delete it.

        Raises:
            StoreError: the URL, the package that it needs, the keys, or the network do not serve.
        """
        name = f".slmroute-{uuid4().hex}"
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / name).write_text(self.url, encoding="utf-8")
            self.put(folder, [name])
            self.get(name, folder / "read")
        with self._opened("deleted from") as (system, root):
            system.rm_file(f"{root}/{name}")

    @contextmanager
    def _opened(self, use: str) -> Iterator[tuple[AbstractFileSystem, str]]:
        """Open the file system and the folder in it; raise an error of either with the URL.

        Raises:
            StoreError: the file system raised an error, within the block too.
        """
        try:
            yield fsspec.url_to_fs(self.url)
        except Exception as error:  # every file system of fsspec has errors of its own
            raise StoreError(
                f"Files cannot be {use} {self.url} ({type(error).__name__}: {error})"
            ) from error


def fetched(record: CellRecord, store: Store, results: Path) -> CellRecord:
    """Bring a record's log and files from the store into the folder of results.

    Returns:
        The record; a failed one in its place if a file cannot be brought.
    """
    if not record.log:
        # The node was lost, and its files with it.
        return record
    try:
        for name in (record.log, *record.files):
            store.get(name, results / name)
    except StoreError as error:
        return replace(record, state="failed", files=(), tail=(str(error),))
    return record
