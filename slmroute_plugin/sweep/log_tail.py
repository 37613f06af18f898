"""The end of a log: its last lines, and the progress that its last bar shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_LINES = 12
_READ = 16_384
# A bar as tqdm writes it: `slmroute_gsm8k:  45%|████▌     | 594/1319 [02:10<02:39, …]`.
_BAR = re.compile(r"\d{1,3}%\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+)")


class Progress(NamedTuple):
    """The progress of a run: the title of its bar, and how much is done, of how much."""

    title: str
    done: int
    total: int


def last_lines(path: Path) -> tuple[str, ...]:
    """Read the last lines of a log; of a bar that was drawn over and over, its last state."""
    lines = [line.rpartition("\r")[2].rstrip() for line in _end(path).split("\n")]
    return tuple([line for line in lines if line][-_LINES:])


def progress_of(path: Path) -> Progress | None:
    """Read the progress that the last bar of a log shows; None if it has no bar."""
    for line in reversed(re.split(r"[\r\n]", _end(path))):
        if bar := _BAR.search(line):
            title = line[: bar.start()].strip().removesuffix(":")
            return Progress(title, int(bar["done"]), int(bar["total"]))
    return None


def _end(path: Path) -> str:
    """Read the end of a file as text; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ))
            return file.read().decode("utf-8", errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""
