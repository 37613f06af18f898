"""Results through a URL, for machines that share no folder: any that fsspec can write to."""

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
    """A store that cannot be used; the text names its URL and why."""


@dataclass(frozen=True)
class Store:
    """A place for files.

    Attributes:
        url: as fsspec has it: `s3://bucket/folder`, `gs://…`, `file:///…`.
    """

    url: str

    def put(self, folder: Path, names: Sequence[str]) -> None:
        """Copy files of a folder there.

        Raises:
            StoreError: they cannot be written there.
        """
        with self._opened("written to") as (system, root):
            for name in names:
                system.makedirs(f"{root}/{Path(name).parent.as_posix()}", exist_ok=True)
                system.put_file(str(folder / name), f"{root}/{name}")

    def get(self, name: str, path: Path) -> None:
        """Copy a file from there.

        Raises:
            StoreError: it is not there, or cannot be read.
        """
        with self._opened("read from") as (system, root), written_whole(path) as unfinished:
            system.get_file(f"{root}/{name}", str(unfinished))

    def check(self) -> None:
        """Write a file there, read it, and delete it.

        Raises:
            StoreError: the URL, the package that it needs, the keys, or the network will not do.
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
    def _opened(self, what: str) -> Iterator[tuple[AbstractFileSystem, str]]:
        """The file system and the folder in it; what goes wrong there is told with the URL."""
        try:
            yield fsspec.url_to_fs(self.url)
        except Exception as error:  # every file system of fsspec has errors of its own
            raise StoreError(
                f"Files cannot be {what} {self.url} ({type(error).__name__}: {error})"
            ) from error


def fetched(record: CellRecord, store: Store, results: Path) -> CellRecord:
    """A record whose log and files have been brought into the folder of results."""
    if not record.log:
        # The node was lost, and has told nothing.
        return record
    try:
        for name in (record.log, *record.files):
            store.get(name, results / name)
    except StoreError as error:
        return replace(record, state="failed", files=(), tail=(str(error),))
    return record
