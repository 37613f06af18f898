"""The log of decisions: a line of JSON for each event, written before the client sees of it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

logger = logging.getLogger(__name__)

Event = Literal["start", "decision", "outcome", "shadow"]


class DecisionLog:
    """A file of events, to which every line is appended in one piece.

    A decision is in the file before the first byte of the answer is sent, so that a process that
    is killed loses no decision. Several processes may append to one file.

    Args:
        path: The path of the file; None for a log that keeps nothing.

    Attributes:
        failures: The number of lines that could not be written, say on a full disk.

    Raises:
        OSError: If the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self.failures = 0
        self._path = path
        self._is_cut_off = False
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The log says who asked when: for its owner alone.
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._is_cut_off = _is_cut_off(path)

    def write(self, event: Event, **fields: Any) -> None:
        """Append an event; a line that cannot be written costs no answer."""
        if self._file is None:
            return
        try:
            line = _line({"event": event, "time": _now(), **fields})
            if self._is_cut_off:
                # Whatever the stump was, this event has a line of its own.
                line = b"\n" + line
            written = os.write(self._file, line)
            self._is_cut_off = written != len(line)
            if self._is_cut_off:
                raise OSError(f"{written} of {len(line)} bytes were written")
        except (OSError, ValueError, RecursionError) as error:
            if not self.failures:
                logger.error("%s: a line could not be written: %s", self._path, error)
            self.failures += 1

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _is_cut_off(path: Path) -> bool:
    """Return whether the last line of a file has no end, as after a crash of the machine."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
