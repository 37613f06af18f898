"""Files that appear in one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slmroute_plugin.storage.atomic_write import written_whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file.txt"
    with written_whole(path) as unfinished:
        unfinished.write_text("one")
        assert not path.exists()
        assert unfinished.suffix == ".txt"
    with written_whole(path) as unfinished:
        unfinished.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as unfinished:
        unfinished.write_text("half")
        (unfinished.parent / "a writer's own.tmp").touch()
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, sys, signal
from pathlib import Path
from slmroute_plugin.storage.atomic_write import written_whole
with written_whole(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    # That of a process that still runs stays.
    left = next(each for each in tmp_path.iterdir() if each != path)
    alive = left.with_name(left.name.rpartition("-")[0] + f"-{os.getppid()}")
    alive.mkdir()
    with written_whole(path) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == sorted([path, alive])
