"""The SQLite file of a journal: where it lies, its tables, and the signs of damage."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slmroute_plugin.storage.sqlite import open_shared, write_ahead

FOLDER = ".journal"
# The first number is "slmr"; the second is raised when the tables change.
_APPLICATION = 0x736C6D72
_FILE_VERSION = 1
_NAME = re.compile(r"journal(-[0-9]+)?\.sqlite")

_TABLES = (
    """
    CREATE TABLE tasks (
        number INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        model TEXT NOT NULL,
        task TEXT NOT NULL,
        code TEXT NOT NULL,
        about TEXT NOT NULL,
        used_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    )
    """,
    """
    CREATE TABLE questions (
        key BLOB PRIMARY KEY,
        task INTEGER NOT NULL,
        record TEXT NOT NULL,
        arrays BLOB NOT NULL,
        checksum BLOB NOT NULL
    )
    """,
    "CREATE INDEX questions_of_task ON questions (task)",
    """
    CREATE TABLE batch_sizes (
        task BLOB NOT NULL,
        setting TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (task, setting)
    )
    """,
)


def journal_files(folder: Path) -> list[Path]:
    """Return the journal's files, the file in use last; the files before it are damaged.

    The file in use may not exist yet. Damaged files may have been removed.
    """
    there = (path for path in folder.glob("journal*.sqlite") if _NAME.fullmatch(path.name))
    return sorted(there, key=_number) or [folder / "journal.sqlite"]


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal's file, or make it if it does not exist.

    Raises:
        sqlite3.Error: If the file cannot be opened; a plain `DatabaseError` if the file is not a
            journal.
    """
    connection = open_shared(path)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # The schema in the file is data too, and may not call functions.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # The file is looked at before it is changed: it may be another program's.
    _has_tables(connection)
    write_ahead(connection)
    # Each batch is on the disk itself before the next batch is asked.
    connection.execute("PRAGMA synchronous = FULL")
    with transaction(connection):
        if not _has_tables(connection):
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_FILE_VERSION}")


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Return whether the file has a journal's tables; False if the file is empty.

    Raises:
        sqlite3.DatabaseError: If another program or version wrote the file.
    """
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (file_version,) = connection.execute("PRAGMA user_version").fetchone()
    if tables and (application, file_version) != (_APPLICATION, _FILE_VERSION):
        raise sqlite3.DatabaseError("it was written by another program or version")
    return bool(tables)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a `with` block in one transaction, which is rolled back if the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some faults, a full disk among them, SQLite has rolled back by itself.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def next_file(path: Path) -> Path:
    """Return the path of the file that is used once `path` is damaged."""
    return path.with_name(f"journal-{_number(path) + 1}.sqlite")


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2]) if "-" in path.stem else 1


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error shows that a file is damaged or is not a journal."""
    # SQLite raises the base class itself for "file is not a database" and the like. A missing
    # table or column shows a file that has our mark and not our tables.
    return type(error) is sqlite3.DatabaseError or "no such" in str(error)
