"""`python -m slmroute_plugin.sweep.tied_process COMMAND…`: runs it for as long as it is wanted.

Its standard input is a pipe that whoever started it holds open. When that process ends, however it
ends, the pipe closes, and the command is killed with all that it has started: nothing goes on
working, on a GPU that the next run needs, for someone who is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence


def attend(command: Sequence[str]) -> int:
    """Run a command, and return its exit status as a shell would: 128 + n if signal n ended it."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        threading.Thread(target=_end_with_starter, daemon=True).start()
        status = process.wait()
    return 128 - status if status < 0 else status


def _end_with_starter() -> None:
    # Not through sys.stdin: a thread that waits in there keeps Python from ending well.
    while os.read(0, 1):
        continue
    # We were started as the head of a process group of our own: this ends us too.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(attend(sys.argv[1:]))
