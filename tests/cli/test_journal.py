"""`slmroute journal ls` and `prune`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command_line import slmroute

from slmroute_plugin.journal import Journal
from slmroute_plugin.journal.code_version import code_versions
from slmroute_plugin.journal.records import QuestionRecord, TaskFacts

NOW = min(code_versions())


def said(*arguments: str, code: int = 0) -> str:
    result = slmroute("journal", *arguments)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three tasks of two models, one of them written by an older version."""
    with Journal(tmp_path) as journal:
        for number, (model, task, code) in enumerate(
            [("a", "slmroute_x", NOW), ("a", "slmroute_y", NOW), ("b", "slmroute_x", "0.0.9+old")]
        ):
            name = f"{model} {task}".encode()
            facts = TaskFacts(name, model, task, code, "{}")
            rows = {
                name + bytes([at]): QuestionRecord("long " * 50_000) for at in range(number + 1)
            }
            journal.keep(facts, rows)
            journal.keep_batch_size(name, "auto", 4)
    return tmp_path


def rows(results: Path) -> dict[str, str]:
    """Number of questions by model and task, as `ls` prints them."""
    lines = [line for line in said("ls", str(results)).splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {f"{one[0]} {one[1]}": one[2] for one in cells}


def test_ls_counts_questions_by_model_and_task(results: Path) -> None:
    assert rows(results) == {"a slmroute_x": "1", "a slmroute_y": "2", "b slmroute_x": "3"}
    assert "0.0.9+old: not used any more" in said("ls", str(results))


def test_prune_removes_what_no_run_would_use(results: Path) -> None:
    size = (results / ".journal" / "journal.sqlite").stat().st_size
    assert "Removed 3 questions of 1 tasks" in said("prune", str(results))
    assert set(rows(results)) == {"a slmroute_x", "a slmroute_y"}
    assert (results / ".journal" / "journal.sqlite").stat().st_size < size - 500_000
    with Journal(results) as journal:
        assert len(journal.find([b"a slmroute_x\0", b"b slmroute_x\0"])) == 1
        assert journal.batch_size(b"a slmroute_x", "auto") == 4
        assert journal.batch_size(b"b slmroute_x", "auto") is None


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--task", "slmroute_x"], {"a slmroute_y"}),
        (["--model", "a"], {"b slmroute_x"}),
        (["--model", "a", "--task", "slmroute_x"], {"a slmroute_y", "b slmroute_x"}),
        (["--older-than", "1"], {"a slmroute_x", "a slmroute_y", "b slmroute_x"}),
        (["--older-than", "0"], set()),
        (["--all"], set()),
        (
            ["--model", "b", "--task", "slmroute_y"],
            {"a slmroute_x", "a slmroute_y", "b slmroute_x"},
        ),
    ],
)
def test_prune_removes_what_the_options_name(
    results: Path, options: list[str], left: set[str]
) -> None:
    said("prune", str(results), *options)
    assert set(rows(results)) == left


@pytest.mark.parametrize(
    ("option", "typo", "hint"),
    [("--task", "slmroute_z", "Did you mean 'slmroute_"), ("--model", "gpt", "Known: a, b.")],
)
def test_prune_refuses_a_name_that_the_journal_does_not_hold(
    results: Path, option: str, typo: str, hint: str
) -> None:
    error = said("prune", str(results), option, typo, code=2)
    assert f"'{option}'" in error
    assert f"the journal holds none called '{typo}'. {hint}" in error
    assert len(rows(results)) == 3


def test_a_damaged_file_is_shown_and_pruned(results: Path) -> None:
    first = results / ".journal" / "journal.sqlite"
    first.write_bytes(b"noise" * 1000)
    with Journal(results) as journal:
        second = journal.path
    assert f"Damaged, and not used: {first}" in said("ls", str(results))
    assert "and 1 damaged files" in said("prune", str(results))
    assert not first.exists()
    assert second.exists()
    # The one that is left is found although the first is gone.
    with Journal(results) as journal:
        assert journal.path == second
    assert "Damaged" not in said("ls", str(results))
    second.write_bytes(b"noise" * 1000)
    with Journal(results) as journal:
        third = journal.path
    said("prune", str(results))
    assert list(third.parent.glob("journal*.sqlite")) == [third]
    with Journal(results) as journal:
        assert journal.path == third


def test_where_there_is_no_journal_it_is_said(tmp_path: Path) -> None:
    assert "There is no journal in" in said("ls", str(tmp_path), code=1)
    assert "There is no journal in" in said("prune", str(tmp_path), code=1)
    assert not (tmp_path / ".journal").exists()


def test_a_file_that_is_no_journal_is_said(tmp_path: Path) -> None:
    file = tmp_path / ".journal" / "journal.sqlite"
    file.parent.mkdir()
    file.write_bytes(b"noise" * 1000)
    assert "is damaged" in said("ls", str(tmp_path), code=1)


def test_damage_behind_the_head_of_a_file_is_said(results: Path) -> None:
    file = results / ".journal" / "journal.sqlite"
    head = file.read_bytes()[:8192]
    file.write_bytes(head + b"noise" * 100_000)
    for command in ("ls", "prune"):
        assert f"{file} is damaged (" in said(command, str(results), code=1)


def test_a_journal_in_use_is_not_called_damaged(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slmroute_plugin.storage.sqlite._LONGEST_LOCK_S", 0.1)
    path = results / ".journal" / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = said("prune", str(results), "--all", code=1)
        assert "cannot be used now" in told and "deleted" not in told
    assert len(rows(results)) == 3
