"""The log of decisions: each event has a line of its own, whatever happens to the one before."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slmroute_plugin.storage.decision_log import DecisionLog


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def events(path: Path) -> list[str]:
    """The ids of the events whose lines are whole."""
    ids = []
    for line in path.read_text().splitlines():
        if line.endswith("}"):
            ids.append(json.loads(line)["id"])
    return ids


def test_an_event_after_a_line_that_was_cut_off_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = DecisionLog(path)
    log.write("decision", id="a")
    with room_for(path.stat().st_size + 10):
        log.write("decision", id="b")
        log.write("decision", id="c")
    assert log.failures == 2
    log.write("decision", id="d")
    log.write("decision", id="e")
    log.close()
    assert events(path) == ["a", "d", "e"]
    assert log.failures == 2


def test_a_log_is_continued_after_a_stump(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"id": "a"}\n{"id": "b')
    log = DecisionLog(path)
    log.write("decision", id="c")
    log.close()
    assert events(path) == ["a", "c"]
