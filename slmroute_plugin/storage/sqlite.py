"""The opening of SQLite files that several processes use at once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_LONGEST_LOCK_S = 60.0


def open_shared(path: Path, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open a file, or make it if it does not exist; each statement is its own transaction.

    Args:
        path: The file.
        check_same_thread: Whether only the thread that opens the file may use it.

    Raises:
        sqlite3.Error: If the file cannot be opened.
    """
    return sqlite3.connect(
        str(path),
        timeout=_LONGEST_LOCK_S,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )


def write_ahead(connection: sqlite3.Connection) -> None:
    """Let processes read a file while another process writes it.

    Raises:
        sqlite3.Error: If the file is damaged or cannot be written.
    """
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # Another process is setting the mode, which stays with the file.
        if "locked" not in str(error):
            raise
