"""Peak of the resident memory of this process."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

MIB = 2**20


class PeakMemory:
    """Peak of resident memory since it was made, above what it was then; Linux only."""

    def __init__(self) -> None:
        gc.collect()
        try:
            # What was freed before is not to be used up first.
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._before: int | None = _status("VmRSS")
        except OSError:
            self._before = None

    def mib(self) -> float | None:
        """The peak so far, MiB; None on other systems."""
        return None if self._before is None else (_status("VmHWM") - self._before) / MIB


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) * 1024
