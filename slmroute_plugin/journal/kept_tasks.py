"""What a journal keeps, by model and task, and how a part of it is removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple


class KeptTask(NamedTuple):
    """The answers in a journal to one task, by one model under one set of settings.

    Attributes:
        number: its key in the journal.
        model: the model that answered.
        task: the task.
        questions: the number of answered questions.
        size: the bytes of the answers.
        used_at: the time of the last use.
        days_unused: the days since then.
        code: the version of the code that wrote the answers.
    """

    number: int
    model: str
    task: str
    questions: int
    size: int
    used_at: str
    days_unused: float
    code: str

    def is_usable(self, codes: Collection[str]) -> bool:
        """Tell whether one of these versions of the code wrote the answers."""
        return self.code in codes


def kept_tasks(connection: sqlite3.Connection) -> list[KeptTask]:
    """List the tasks in an open journal, by model and task."""
    select = (
        "SELECT number, model, tasks.task, count(questions.key), "
        "coalesce(sum(length(record) + length(arrays)), 0), used_at, "
        "julianday('now') - julianday(used_at), code "
        "FROM tasks LEFT JOIN questions ON questions.task = tasks.number "
        "GROUP BY number ORDER BY model, tasks.task, used_at"
    )
    return [KeptTask(*row) for row in connection.execute(select)]


def remove_tasks(connection: sqlite3.Connection, tasks: Iterable[KeptTask]) -> None:
    """Remove tasks and all that belongs to them from an open journal, and shrink its file."""
    connection.execute("BEGIN IMMEDIATE")
    for task in tasks:
        connection.execute("DELETE FROM questions WHERE task = ?", (task.number,))
        connection.execute(
            "DELETE FROM batch_sizes WHERE task = (SELECT key FROM tasks WHERE number = ?)",
            (task.number,),
        )
        connection.execute("DELETE FROM tasks WHERE number = ?", (task.number,))
    connection.execute("COMMIT")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
