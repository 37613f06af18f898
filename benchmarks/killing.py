"""Running a step in a process of its own, and killing it at a moment."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from kill_steps import Step

POLL_S = 0.001


class Moment(NamedTuple):
    """A moment to kill at: after a share of the step's usual time, or once a file is there.

    Attributes:
        share: the share of the time that the step takes undisturbed.
        file: a pattern below `results`; the moment is when it first matches something new.
    """

    share: float | None = None
    file: str | None = None

    def __str__(self) -> str:
        return (
            f"after {self.share:.0%} of its usual time"
            if self.share is not None
            else f"as {self.file} appears"
        )


def started(step: Step, folder: Path, log: Path) -> int:
    """Start the step in a process of its own, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.chdir(folder)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        step.run()
        os._exit(0)
    except SystemExit as end:
        os._exit(int(bool(end.code)))
    except BaseException:
        logging.exception("%s", step.name)
        os._exit(1)


def finish(pid: int, step: Step, log: Path) -> None:
    """Wait until the step is done.

    Raises:
        RuntimeError: the step failed; the text is the end of its log.
    """
    _, status = os.waitpid(pid, 0)
    _check(status, step, log)


def is_killed(
    pid: int, step: Step, folder: Path, moment: Moment, usual_s: float, log: Path
) -> bool:
    """Wait for the moment and kill the step; return False if it was done before.

    Raises:
        RuntimeError: the step failed before; the text is the end of its log.
    """
    results = folder / "results"
    start = time.monotonic()
    before = set(results.glob(moment.file)) if moment.file else set()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _check(status, step, log)
            return False
        if moment.share is not None:
            due = time.monotonic() - start >= moment.share * usual_s
        else:
            due = bool(set(results.glob(str(moment.file))) - before)
        if due:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return True
        time.sleep(POLL_S)


def _check(status: int, step: Step, log: Path) -> None:
    """Check that a step ended well.

    Raises:
        RuntimeError: it did not; the text is the end of its log.
    """
    if status:
        raise RuntimeError(f"{step.name} failed by itself:\n{log.read_text()[-3000:]}")
