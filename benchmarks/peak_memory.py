"""The peak of the memory that is in use: this process's, or a GPU's."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any, Protocol

MIB = 2**20


class Peak(Protocol):
    """A peak since the object was made, above what was in use then."""

    def mib(self) -> float | None:
        """Read the peak so far, MiB; None where it cannot be read."""


class PeakMemory:
    """A peak of resident memory since the object was made, above what it was then; Linux only."""

    def __init__(self) -> None:
        gc.collect()
        try:
            # Memory that was freed before would be used up first, unseen.
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._before: int | None = _status("VmRSS")
        except OSError:
            self._before = None

    def mib(self) -> float | None:
        """Read the peak so far, MiB; None on other systems."""
        return None if self._before is None else (_status("VmHWM") - self._before) / MIB


class PeakGpuMemory:
    """A peak of what PyTorch holds on a GPU since the object was made, above what it held then."""

    def __init__(self, device: Any) -> None:
        import torch

        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        self._device = device
        self._before = torch.cuda.memory_allocated(device)

    def mib(self) -> float | None:
        """Read the peak so far, MiB."""
        import torch

        return float(torch.cuda.max_memory_allocated(self._device) - self._before) / MIB


def peak_memory_of(device: Any) -> Peak:
    """Begin a peak of the memory that models on this device use."""
    return PeakGpuMemory(device) if device.type == "cuda" else PeakMemory()


def _status(field: str) -> int:
    """Read a field of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) * 1024
