"""The store of finished questions in a journal's file, which several processes may use at once."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from slmroute_plugin.journal.database import (
    FOLDER,
    connect,
    is_damage,
    journal_files,
    next_file,
    transaction,
)
from slmroute_plugin.journal.records import Packed, QuestionRecord, TaskFacts, pack, unpack

logger = logging.getLogger(__name__)

_AT_ONCE = 500
# No question is larger.
LARGEST_ROW = 256 * 2**20


class JournalError(RuntimeError):
    """An error for a journal that cannot be used; its text names the file and the fix."""


class Journal:
    """A store of finished questions by key, in a file that is open until a `with` block ends.

    A damaged file is left as it is, and a fresh file is begun beside it.

    Args:
        results: The folder of results; the file lies in its folder `.journal`.
        largest_row: The bytes of the largest row that is read, so that no file makes us allocate
            what it claims to hold.

    Attributes:
        path: The path of the file.

    Raises:
        JournalError: If the file cannot be written, or another process keeps it locked.
    """

    def __init__(self, results: Path, largest_row: int = LARGEST_ROW) -> None:
        self._largest_row = largest_row
        self._folder = results / FOLDER
        self.path = journal_files(self._folder)[-1]
        self._connection = self._open()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, QuestionRecord]:
        """Return the records of those questions that the journal holds, without damaged records.

        Their tasks count as used.

        Raises:
            JournalError: If the file cannot be read.
        """
        records: dict[bytes, QuestionRecord] = {}
        damaged = 0
        with self._survived():
            for key, row in self._rows(keys):
                try:
                    records[key] = _record(key, *row)
                except ValueError as error:
                    damaged += 1
                    logger.debug("%s: %s", self.path, error)
            self._mark_used(list(records))
        if damaged:
            logger.warning("%s: %d questions are damaged and are asked again", self.path, damaged)
        return records

    def kept(self, keys: Sequence[bytes]) -> frozenset[bytes]:
        """Return those of the keys that the journal holds, without reading their records.

        Raises:
            JournalError: If the file cannot be read.
        """
        held: set[bytes] = set()
        with self._survived():
            for part in _parts(keys):
                select = f"SELECT key FROM questions WHERE key IN ({_places(part)})"
                held.update(key for (key,) in self._connection.execute(select, part))
        return frozenset(held)

    def keep(self, task: TaskFacts, records: Mapping[bytes, QuestionRecord]) -> None:
        """Put finished questions on disk, all or none; they are on disk once this returns.

        Raises:
            JournalError: If the file cannot be written, for instance because the disk is full. What
                the journal held stays.
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
            with self._survived(), transaction(self._connection):
                number = self._task(task)
                self._connection.executemany(
                    "INSERT OR REPLACE INTO questions (key, task, record, arrays, checksum) "
                    "VALUES (?, ?, ?, ?, ?)",
                    [(key, number, *rest) for key, *rest in rows],
                )
            if self.path == path:
                return
            # The file turned out to be damaged: the fresh file gets the questions.

    def batch_size(self, task: bytes, setting: str) -> int | None:
        """Return the batch size that a task was last run with; None if it is unknown."""
        with self._survived():
            select = "SELECT size FROM batch_sizes WHERE task = ? AND setting = ?"
            row = self._connection.execute(select, (task, setting)).fetchone()
            if row is not None and isinstance(row[0], int) and row[0] > 0:
                return row[0]
        return None

    def keep_batch_size(self, task: bytes, setting: str, size: int) -> None:
        """Remember the batch size that a task is run with.

        Raises:
            JournalError: If the file cannot be written.
        """
        with self._survived():
            self._connection.execute(
                "INSERT OR REPLACE INTO batch_sizes (task, setting, size) VALUES (?, ?, ?)",
                (task, setting, size),
            )

    def _rows(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, tuple[str, bytes, bytes]]]:
        for part in _parts(keys):
            select = (
                "SELECT key, record, arrays, checksum FROM questions "
                f"WHERE key IN ({_places(part)}) "
                "AND length(CAST(record AS BLOB)) + length(arrays) <= ?"
            )
            for key, *row in self._connection.execute(select, (*part, self._largest_row)):
                yield key, (row[0], row[1], row[2])

    def _mark_used(self, keys: Sequence[bytes]) -> None:
        for part in _parts(keys):
            self._connection.execute(
                "UPDATE tasks SET used_at = CURRENT_TIMESTAMP WHERE number IN "
                f"(SELECT task FROM questions WHERE key IN ({_places(part)}))",
                part,
            )

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
        """Turn faults of the disk into clear errors, and replace a damaged file by a fresh file."""
        try:
            yield
        except sqlite3.Error as error:
            if not is_damage(error):
                raise _unusable(self.path, error) from error
            self._connection.close()
            self._pass_over(error)
            self._connection = self._open()

    def _pass_over(self, error: sqlite3.Error) -> None:
        damaged, self.path = self.path, next_file(self.path)
        logger.warning(
            "The journal %s is damaged, or is not a journal (%s): it is left as it is, and %s is "
            "used. Questions that only the damaged file holds are asked again.",
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
                if not is_damage(error):
                    raise _unusable(self.path, error) from error
                self._pass_over(error)
            except OSError as error:
                raise _unusable(self.path, error) from error


def _parts(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the keys in parts of as many as one statement takes."""
    remaining = iter(keys)
    while part := list(islice(remaining, _AT_ONCE)):
        yield part


def _places(part: Sequence[bytes]) -> str:
    """Return the placeholders of a statement for so many values."""
    return ", ".join("?" * len(part))


def _unusable(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"The journal {path} cannot be used ({error}). What it holds stays, and the same command "
        "goes on from there: make room or free the file, or set journal: off under "
        "metadata.slmroute to run without one."
    )


def _record(key: bytes, text: str, arrays: bytes, checksum: bytes) -> QuestionRecord:
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
