"""The journal's file: several processes, damage, a full disk, a hostile file."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from slmroute_plugin.journal import Journal, JournalError
from slmroute_plugin.journal.records import QuestionRecord, TaskFacts
from slmroute_plugin.journal.store import connect

TASK = TaskFacts(b"task", "model", "slmroute_x", "0.1.0+abc", "{}")


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def record(number: int) -> QuestionRecord:
    vector = np.full(64, number, np.float32)
    return QuestionRecord(f"answer {number}", signals={0: vector}, confidence={"perplexity": 0.5})


def records(*numbers: int) -> dict[bytes, QuestionRecord]:
    return {key(number): record(number) for number in numbers}


def found(journal: Journal, *numbers: int) -> list[int]:
    """Which of the numbers are there; what is there must be whole."""
    there = journal.find([key(number) for number in numbers])
    for number in numbers:
        if key(number) in there:
            assert there[key(number)].answer == f"answer {number}"
            assert there[key(number)].signals[0].tolist() == [number] * 64
    return [number for number in numbers if key(number) in there]


def rows(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement on the journal's file, as any other program can."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_the_keys_of_what_is_kept_are_told_without_the_records(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(*range(2_000)))
        asked = [key(number) for number in range(1_000, 3_000)]
        assert journal.kept(asked) == {key(number) for number in range(1_000, 2_000)}
        assert journal.kept([]) == frozenset()


def test_what_is_kept_is_found_by_the_next_process(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(1, 2))
        journal.keep(TASK, records(3))
    with Journal(tmp_path) as journal:
        assert found(journal, *range(6)) == [1, 2, 3]
        assert journal.path == tmp_path / ".journal" / "journal.sqlite"


def test_what_is_found_counts_as_used(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(1))
        path = journal.path
    rows(path, "UPDATE tasks SET used_at = '2020-01-01 00:00:00'")
    with Journal(tmp_path) as journal:
        assert found(journal, 2) == []
        assert rows(path, "SELECT used_at FROM tasks") == [("2020-01-01 00:00:00",)]
        assert found(journal, 1) == [1]
    ((used_at,),) = rows(path, "SELECT used_at FROM tasks")
    assert str(used_at) > "2026"


def test_the_file_is_in_wal_mode_and_written_through(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert rows(journal.path, "PRAGMA journal_mode") == [("wal",)]
    # The one mode is the file's; the other is that of each connection.
    with contextlib.closing(connect(journal.path)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_thousands_of_keys_are_found_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(*range(1200)))
        assert len(found(journal, *range(2000))) == 1200


def test_batch_sizes_are_remembered_by_task_and_setting(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep_batch_size(b"a", "auto", 16)
        journal.keep_batch_size(b"a", "auto", 8)
        journal.keep_batch_size(b"b", "auto", 4)
    with Journal(tmp_path) as journal:
        assert journal.batch_size(b"a", "auto") == 8
        assert journal.batch_size(b"b", "auto") == 4
        assert journal.batch_size(b"a", "64") is None


def write(folder: Path, first: int) -> None:
    with Journal(folder) as journal:
        for number in range(first, first + 40, 4):
            journal.keep(TASK, records(*range(number, number + 4)))


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    # The last two write the same.
    starts = [0, 40, 80, 80]
    processes = [context.Process(target=write, args=(tmp_path, start)) for start in starts]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with Journal(tmp_path) as journal:
        assert found(journal, *range(130)) == list(range(120))


WRITER = """
import sys
from pathlib import Path
from tests_of_the_store import records, TASK, Journal
with Journal(Path(sys.argv[1])) as journal:
    for first in range(0, 4000, 4):
        journal.keep(TASK, records(*range(first, first + 4)))
        sys.stdout.write("x")
        sys.stdout.flush()
"""


def test_a_writer_killed_at_any_moment_leaves_whole_batches(tmp_path: Path) -> None:
    script = WRITER.replace(
        "from tests_of_the_store import",
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_store import",
    )
    draw = random.Random(0)
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        said = process.stdout.read(1)  # it has begun to write
        time.sleep(draw.random() * 0.2)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
        process.wait()
        with Journal(folder) as journal:
            there = found(journal, *range(4000))
        # All that it said was kept is there, and no batch is there in part.
        assert len(there) % 4 == 0
        assert there == list(range(len(there)))
        assert len(there) >= 4 * len(said)


def damage(path: Path) -> Iterator[tuple[str, bytes]]:
    """Ways in which a file can be broken, with the bytes that are then in it."""
    good = path.read_bytes()
    yield "no database at all", b"this is no database, whatever its name says" * 100
    yield "cut off", good[: len(good) // 2 + 100]
    yield "zeros in the middle", good[:4096] + bytes(len(good) - 8192) + good[-4096:]
    yield "a page of noise", good[:4096] + random.Random(0).randbytes(4096) + good[8192:]
    other = path.with_name("other.sqlite")
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE questions (something_else TEXT)")
        connection.commit()
    yield "another program's", other.read_bytes()
    other.unlink()


def test_a_broken_file_gives_a_fresh_one_beside_it_and_no_wrong_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path / "good") as journal:
        journal.keep(TASK, records(*range(40)))
        path = journal.path
    for what, broken in list(damage(path)):
        folder = tmp_path / what.replace(" ", "-")
        file = folder / ".journal" / "journal.sqlite"
        file.parent.mkdir(parents=True)
        file.write_bytes(broken)
        caplog.clear()
        with Journal(folder) as journal:
            found(journal, *range(40))
            journal.keep(TASK, records(*range(40, 50)))
            assert found(journal, *range(40, 50)) == list(range(40, 50)), what
        assert "is left as it is" in caplog.text, what
        assert str(file) in caplog.text
        assert file.stat().st_size == len(broken), what
        with Journal(folder) as journal:  # and the next run uses the fresh one at once
            assert journal.path == file.with_name("journal-2.sqlite")
            assert found(journal, *range(40, 50)) == list(range(40, 50))


def test_bits_that_flip_in_a_row_cost_that_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(*range(5)))
        for number, column in ((1, "record"), (2, "arrays"), (3, "checksum")):
            statement = f"UPDATE questions SET {column} = replace({column}, ?, ?) WHERE key = ?"
            swapped = ("1", "7") if column == "record" else (b"\0\0", b"\0\1")
            rows(journal.path, statement, *swapped, key(number))
        rows(journal.path, "UPDATE questions SET checksum = zeroblob(16) WHERE key = ?", key(3))
        rows(journal.path, "UPDATE questions SET record = 5 WHERE key = ?", key(4))
        assert found(journal, *range(5)) == [0]
    assert "4 questions are damaged and are asked again" in caplog.text


def test_a_row_under_anothers_key_is_not_taken_for_it(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(1))
        rows(journal.path, "UPDATE questions SET key = ?", key(2))
        assert journal.find([key(2)]) == {}


def test_a_row_that_claims_to_be_huge_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path, largest_row=10_000) as journal:
        journal.keep(TASK, records(1, 2))
        rows(journal.path, "UPDATE questions SET arrays = zeroblob(100000) WHERE key = ?", key(1))
        assert found(journal, 1, 2) == [2]
    # Read, it would be one whose checksum is wrong.
    assert "damaged" not in caplog.text


def test_a_full_disk_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(1))
        # As SQLite does on a full disk: in the middle of the batch, all of which it takes back.
        rows(
            journal.path,
            "CREATE TRIGGER full BEFORE INSERT ON questions "
            "WHEN (SELECT count(*) FROM questions) = 100 "
            "BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        with pytest.raises(JournalError, match=r"disk is full.*same command goes on.*journal: off"):
            journal.keep(TASK, records(*range(2, 200)))
        assert found(journal, *range(200)) == [1]
        rows(journal.path, "DROP TRIGGER full")
    with Journal(tmp_path) as journal:
        assert found(journal, *range(200)) == [1]
        journal.keep(TASK, records(*range(2, 200)))
        assert found(journal, *range(200)) == list(range(1, 200))


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store import records, TASK, Journal
with Journal(Path(sys.argv[1])) as journal:
    journal.keep(TASK, records(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    for first in range(2, 4000, 10):
        journal.keep(TASK, records(*range(first, first + 10)))
"""


def test_a_disk_that_takes_no_more_in_the_middle_of_a_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "JournalError: The journal" in done.stderr
    assert "make room" in done.stderr
    with Journal(tmp_path) as journal:
        there = found(journal, *range(1, 4000))
        assert there == list(range(1, len(there) + 1))
        assert len(there) % 10 == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(tmp_path)


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / ".journal").write_text("in the way")
    with pytest.raises(JournalError, match=r"\.journal/journal\.sqlite cannot be used"):
        Journal(tmp_path)


def test_a_value_that_no_journal_takes_costs_its_own_question(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path) as journal, caplog.at_level(logging.INFO):
        journal.keep(TASK, {**records(1), key(2): QuestionRecord("x", signals={0: {1, 2}})})
        assert found(journal, 1, 2) == [1]
    assert "a question of slmroute_x is not kept: set has no place" in caplog.text


def test_a_hostile_schema_runs_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.keep(TASK, records(1))
        rows(
            journal.path,
            "CREATE TRIGGER evil AFTER INSERT ON questions BEGIN "
            "SELECT load_extension('/tmp/evil.so'); END",
        )
    with Journal(tmp_path) as journal, pytest.raises(JournalError):
        journal.keep(TASK, records(2))
