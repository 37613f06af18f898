"""Work in several processes: the same results, no more than is needed, and errors as they are."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from pathlib import Path

import pytest

from slmroute_plugin.analysis.workers import begun, done_by, workers


def half(number: int) -> tuple[float, int]:
    """Half of an even number, and the process that halved it."""
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number / 2, os.getpid()


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_part_is_done_once_by_as_many_processes_as_asked_for(jobs: int) -> None:
    with workers(jobs) as pool:
        found = dict(done_by(pool, half, {str(number): number for number in range(0, 20, 2)}))
    assert {key: result for key, (result, _) in found.items()} == {
        str(number): number / 2 for number in range(0, 20, 2)
    }
    processes = {process for _, process in found.values()}
    assert len(processes) <= jobs
    assert (os.getpid() in processes) is (jobs == 1)


def test_a_single_part_takes_no_further_process() -> None:
    with workers(2) as pool:
        assert dict(done_by(pool, half, {"one": 4})) == {"one": (2.0, os.getpid())}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_that_of_the_part(jobs: int) -> None:
    with pytest.raises(ValueError, match="7 is odd"), workers(jobs) as pool:
        list(done_by(pool, half, {"a": 2, "b": 7, "c": 4}))


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_that_is_begun_ends_when_it_is_asked_for(jobs: int, tmp_path: Path) -> None:
    with workers(jobs) as pool:
        end = begun(pool, Path.write_text, tmp_path / "file", "text", encoding="utf-8")
        assert isinstance(pool, Executor) is (jobs > 1)
        assert end() == 4
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"
