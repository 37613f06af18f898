"""The faults of a file that cannot be imported, named by line."""

from __future__ import annotations

from pathlib import Path

_NAMED = 5


class ImportFault(ValueError):
    """An error for a file that cannot be imported; its text names the file, line and value."""


class Faults:
    """The faults of a file, gathered so that several are told at once.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def add(self, where: str, fault: str) -> None:
        """Add a fault.

        Args:
            where: The place in the file ("line 3").
            fault: What is wrong there.
        """
        self._lines.append(f"{self._path}, {where}: {fault}")

    def __len__(self) -> int:
        """Return the number of faults."""
        return len(self._lines)

    def check(self) -> None:
        """Raise an error if there is any fault.

        Raises:
            ImportFault: If there is; its text has a line for each of the first five.
        """
        if not self._lines:
            return
        more = len(self._lines) - _NAMED
        lines = self._lines[:_NAMED] + ([f"… and {more} more"] if more > 0 else [])
        raise ImportFault("\n".join(lines))
