"""The journal's file: SQLite in WAL mode, which several processes may use at once."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType

from slmroute_plugin.journal.records import Packed, Record, TaskFacts, pack, unpack
from slmroute_plugin.journal.schema import APPLICATION, FILE_VERSION, TABLES
from slmroute_plugin.storage.sqlite import open_shared, write_ahead

logger = logging.getLogger(__name__)

FOLDER = ".journal"
_AT_ONCE = 500
# No question of ours is larger.
LARGEST_ROW = 256 * 2**20


class JournalError(RuntimeError):
    """A journal that cannot be used; the text names the file and the fix."""


class Journal:
    """Finished questions by key, in a file that stays open until the end of a `with` block.

    A damaged file is left as it is, and a fresh one is begun beside it.

    Args:
        results: the folder of results; the file lies under its `.journal`.
        largest_row: bytes of the largest row that is read, so that no file makes us allocate
            what it claims to hold.

    Attributes:
        path: the file.

    Raises:
        JournalError: the file cannot be written, or another process does not let go of it.
    """

    def __init__(self, results: Path, largest_row: int = LARGEST_ROW) -> None:
        self._largest_row = largest_row
        self._folder = results / FOLDER
        self.path = journal_files(self._folder)[-1]
        self._connection = self._open()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Record]:
        """The records of those questions that are there; one that is damaged is not."""
        found: dict[bytes, Record] = {}
        damaged = 0
        with self._survived():
            for key, row in self._rows(keys):
                try:
                    found[key] = _record(key, *row)
                except ValueError as error:
                    damaged += 1
                    logger.debug("%s: %s", self.path, error)
        if damaged:
            logger.warning("%s: %d questions are damaged and are asked again", self.path, damaged)
        return found

    def keep(self, task: TaskFacts, records: Mapping[bytes, Record]) -> None:
        """Put finished questions on disk, all or none; once it returns, they are there.

        Raises:
            JournalError: the disk is full, for instance. What was there stays.
        """
        rows = []
        for key, record in records.items():
            try:
                packed = pack(record)
            except TypeError as error:
                logger.info("%s: a question of %s is not kept: %s", self.path, task.task, error)
                continue
            rows.append((key, packed.text, packed.arrays, _checksum(key, packed)))
        while True:
            path = self.path
            with self._survived(), _transaction(self._connection):
                number = self._task(task)
                self._connection.executemany(
                    "INSERT OR REPLACE INTO questions (key, task, record, arrays, checksum) "
                    "VALUES (?, ?, ?, ?, ?)",
                    [(key, number, *rest) for key, *rest in rows],
                )
            if self.path == path:
                return
            # The file turned out to be damaged: once more, into the fresh one.

    def batch_size(self, task: bytes, setting: str) -> int | None:
        """The batch size that a task was last run with, if it is known."""
        with self._survived():
            select = "SELECT size FROM batch_sizes WHERE task = ? AND setting = ?"
            found = self._connection.execute(select, (task, setting)).fetchone()
            if found is not None and isinstance(found[0], int) and found[0] > 0:
                return found[0]
        return None

    def keep_batch_size(self, task: bytes, setting: str, size: int) -> None:
        """Remember a batch size.

        Raises:
            JournalError: the file cannot be written.
        """
        with self._survived():
            self._connection.execute(
                "INSERT OR REPLACE INTO batch_sizes (task, setting, size) VALUES (?, ?, ?)",
                (task, setting, size),
            )

    def _rows(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, tuple[str, bytes, bytes]]]:
        remaining = iter(keys)
        while some := list(islice(remaining, _AT_ONCE)):
            select = (
                "SELECT key, record, arrays, checksum FROM questions "
                f"WHERE key IN ({', '.join('?' * len(some))}) "
                "AND length(CAST(record AS BLOB)) + length(arrays) <= ?"
            )
            for key, *row in self._connection.execute(select, (*some, self._largest_row)):
                yield key, (row[0], row[1], row[2])

    def _task(self, task: TaskFacts) -> int:
        self._connection.execute(
            "INSERT INTO tasks (key, model, task, code, about) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET used_at = CURRENT_TIMESTAMP",
            (task.key, task.model, task.task, task.code, task.about),
        )
        select = "SELECT number FROM tasks WHERE key = ?"
        return int(self._connection.execute(select, (task.key,)).fetchone()[0])

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """Faults of the disk become clear errors; a damaged file is replaced by a fresh one."""
        try:
            yield
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise _unusable(self.path, error) from error
            self._connection.close()
            self._pass_over(error)
            self._connection = self._open()

    def _pass_over(self, error: sqlite3.Error) -> None:
        damaged, self.path = self.path, _next_file(self.path)
        logger.warning(
            "The journal %s is damaged, or is none (%s): it is left as it is, and %s is used. "
            "Questions that only the damaged one holds are asked again.",
            damaged,
            error,
            self.path,
        )

    def _open(self) -> sqlite3.Connection:
        while True:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                return connect(self.path)
            except sqlite3.Error as error:
                if not _is_damage(error):
                    raise _unusable(self.path, error) from error
                self._pass_over(error)
            except OSError as error:
                raise _unusable(self.path, error) from error


def journal_files(folder: Path) -> list[Path]:
    """The journal's files, the one in use last; others before it are damaged."""
    files = [folder / "journal.sqlite"]
    while (following := _next_file(files[-1])).exists():
        files.append(following)
    return [*(file for file in files[:-1] if file.exists()), files[-1]]


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal's file, which is made if it is not there.

    Raises:
        sqlite3.Error: it cannot be opened; a plain `DatabaseError` if it is none of ours.
    """
    connection = open_shared(path)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # What stands in the file's schema is data too, and may not call functions.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # Looked at before it is changed in any way: it may be another program's.
    _has_tables(connection)
    write_ahead(connection)
    # Each batch is on the disk itself before the next one is asked.
    connection.execute("PRAGMA synchronous = FULL")
    with _transaction(connection):
        if not _has_tables(connection):
            for table in TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FILE_VERSION}")


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Whether the file has our tables; false if it is empty."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (file_version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and (application, file_version) != (APPLICATION, FILE_VERSION):
        raise sqlite3.DatabaseError("it was written by another program or version")
    return bool(tables)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some faults, a full disk among them, SQLite has rolled back by itself.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _next_file(path: Path) -> Path:
    number = int(path.stem.rpartition("-")[2]) if "-" in path.stem else 1
    return path.with_name(f"journal-{number + 1}.sqlite")


def _is_damage(error: sqlite3.Error) -> bool:
    # The base class itself: "file is not a database", "database disk image is malformed".
    # A table or column that is not there: a file that has our mark and not our tables.
    return type(error) is sqlite3.DatabaseError or "no such" in str(error)


def _unusable(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"The journal {path} cannot be used ({error}). What it holds stays, and the same command "
        "goes on from there: make room or free the file, or set journal: off under "
        "metadata.slmroute to run without one."
    )


def _record(key: bytes, text: str, arrays: bytes, checksum: bytes) -> Record:
    if not isinstance(text, str) or not isinstance(arrays, bytes):
        raise ValueError("a row of another type than ours")
    packed = Packed(text, arrays)
    if checksum != _checksum(key, packed):
        raise ValueError("a row whose checksum is wrong")
    return unpack(packed)


def _checksum(key: bytes, packed: Packed) -> bytes:
    text = packed.text.encode()
    hashed = hashlib.blake2b(key + len(text).to_bytes(8, "little"), digest_size=16)
    hashed.update(text)
    hashed.update(packed.arrays)
    return hashed.digest()
