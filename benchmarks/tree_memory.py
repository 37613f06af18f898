"""The peak memory of this process and of all that it starts, pages that they share counted once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.2


class TreeMemory:
    """A peak of memory while a block runs: the proportional set size, sampled; Linux only.

    Attributes:
        peak_gib: the largest sum over all processes so far, GiB.
    """

    def __init__(self) -> None:
        self.peak_gib = 0.0
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> TreeMemory:
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._watch.join()

    def _sample(self) -> None:
        while True:
            in_use = sum(map(_proportional_bytes, _tree(os.getpid())))
            self.peak_gib = max(self.peak_gib, in_use / 2**30)
            if self._done.wait(_EVERY_S):
                return


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants that are still there."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))


def _proportional_bytes(pid: int) -> int:
    """Read the memory of a process, shared pages divided among those that share them; 0 if gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
