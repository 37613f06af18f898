"""A command that ends when the process that runs it ends, however that ends.

`python -m slmroute_plugin.sweep.tied_process COMMAND…` runs the command. Its standard input is a
pipe that the process which started it holds open. When that process ends, the pipe closes, and
the command is killed with all that it has started. So nothing goes on working, on a GPU that the
next run needs, for a sweep that is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_POLL_S = 0.5


def run_tied(
    command: Sequence[str],
    log: Path,
    directory: Path | None,
    environment: Mapping[str, str],
    stopped: Callable[[], bool],
) -> int:
    """Run a command that is killed when this process ends.

    Args:
        command: the command and its arguments.
        log: the file that its output is appended to.
        directory: the folder to run in; None for the present one.
        environment: the environment variables to set.
        stopped: asked again and again; once it returns true, the command is killed.

    Returns:
        The exit status; minus the signal if a signal ended the command.
    """
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "slmroute_plugin.sweep.tied_process", *command],
            # Held open by this process, and by it alone.
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=os.environ | dict(environment),
            start_new_session=True,
        )
        try:
            return _waited_for(process, stopped)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def _waited_for(process: subprocess.Popen[bytes], stopped: Callable[[], bool]) -> int:
    """Wait for the process, and close its pipe once it is to stop; return its exit status."""
    while True:
        try:
            status = process.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if stopped() and process.stdin is not None:
                process.stdin.close()
            continue
        # 128 + n is how a shell, and `attend`, tell of signal n.
        return 128 - status if status - 128 in signal.valid_signals() else status


def attend(command: Sequence[str]) -> int:
    """Run a command until it ends, or until the pipe at standard input closes.

    Returns:
        The exit status as of a shell: 128 + n if signal n ended the command.
    """
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        threading.Thread(target=_end_with_starter, daemon=True).start()
        status = process.wait()
    return 128 - status if status < 0 else status


def _end_with_starter() -> None:
    """Wait until the pipe at standard input closes, and kill the whole process group."""
    # Not through sys.stdin: a thread that waits in there keeps Python from ending well.
    while os.read(0, 1):
        continue
    # This process was started as the head of a process group of its own: it ends too.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(attend(sys.argv[1:]))
