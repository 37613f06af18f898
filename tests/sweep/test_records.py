"""When a cell counts as done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sweep_cells import LOCAL, cell, record

from slmroute_plugin.sweep.records import (
    cell_folder,
    is_done,
    read_record,
    write_record,
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of results with the one file that the record names."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "samples_a.jsonl").write_text("{}\n", encoding="utf-8")
    return tmp_path


def test_a_record_comes_back_as_it_was_written(results: Path) -> None:
    written = record(cell(), tail=("one", "two"), seeds={"slmroute": 3})
    write_record(results, written)
    assert read_record(results, "m.math") == written
    assert is_done(cell(), read_record(results, "m.math"), results)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"cell": 1}', "[" * 100_000, '{"cell": "m.math", "more": 1}']
)
def test_a_record_that_cannot_be_read_proves_nothing(results: Path, text: str) -> None:
    write_record(results, record(cell()))
    (cell_folder(results, "m.math") / "record.json").write_text(text, encoding="utf-8")
    assert read_record(results, "m.math") is None


def test_a_cell_is_to_do_if_it_failed_changed_or_lost_a_file(results: Path) -> None:
    one = cell()
    assert is_done(one, record(one), results)
    assert not is_done(one, record(one, state="failed"), results)
    assert not is_done(one, None, results)
    longer = cell(config=LOCAL | {"gen_kwargs": {"max_gen_toks": 9}})
    assert not is_done(longer, record(one), results)
    (results / "m" / "samples_a.jsonl").unlink()
    assert not is_done(one, record(one), results)


def test_how_a_run_goes_is_no_part_of_what_it_gives(results: Path) -> None:
    other = cell(config=LOCAL | {"batch_size": 3, "device": "cuda:1"})
    assert is_done(other, record(cell()), results)
