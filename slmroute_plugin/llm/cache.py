"""The cache of an LLM's answers: a SQLite file that several processes may share."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from slmroute_plugin.conversation import Message
from slmroute_plugin.llm.exchange import LlmError, LlmReply
from slmroute_plugin.storage.sqlite import open_shared, write_ahead

logger = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    reply TEXT NOT NULL,
    asked_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""


def cache_key(
    base_url: str, model: str, messages: Sequence[Message], settings: Mapping[str, Any]
) -> str:
    """Return the SHA-256 of what determines an answer: server, model, messages and settings.

    The order of the settings does not matter, the order of the messages does.
    """
    parts = [base_url.rstrip("/"), model, list(messages), dict(settings)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class AnswerCache:
    """A cache of answers by key, in a file that is open until `close` or the end of a `with` block.

    Several processes may use one file at once. A question that two of them ask at the same time
    is asked twice.

    Args:
        path: The path of the file; None for a cache that keeps nothing.

    Raises:
        LlmError: If the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._is_failing = False
        if path is None:
            return
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            # The event loop has a thread of its own; the two threads never use the file together.
            self._connection = open_shared(path, check_same_thread=False)
            try:
                self._prepare(self._connection)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, key: str) -> LlmReply | None:
        """Return the answer that was kept under `key`, marked as cached; None without an answer.

        Raises:
            LlmError: If the file is damaged.
        """
        if self._connection is None:
            return None
        with self._faults():
            select = "SELECT reply FROM answers WHERE key = ?"
            row = self._connection.execute(select, (key,)).fetchone()
            reply = None if row is None else replace(LlmReply(**json.loads(row[0])), cached=True)
        return None if reply is None or reply.text is None else reply

    def put(self, key: str, model: str, reply: LlmReply) -> None:
        """Keep an answer, unless it failed.

        A file that cannot be written, say on a full disk, costs no answer: the fault is logged
        once.
        """
        if self._connection is None or reply.text is None:
            return
        row = (key, model, json.dumps(asdict(reply)))
        try:
            self._connection.execute(
                "INSERT OR REPLACE INTO answers (key, model, reply) VALUES (?, ?, ?)", row
            )
        except sqlite3.Error as error:
            if not self._is_failing:
                logger.warning("Answers are not kept in %s: %s.", self._path, error)
            self._is_failing = True

    @staticmethod
    def _prepare(connection: sqlite3.Connection) -> None:
        write_ahead(connection)
        # In this mode a crash of the machine may cost the last answers, but never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_TABLE)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, RecursionError) as error:
            raise LlmError(
                f"The cache of answers {self._path} cannot be used ({error}). Move it away, or "
                "name another file with `cache`."
            ) from error
