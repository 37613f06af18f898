"""A watch over an engine's processes, which vLLM leaves behind when lm_eval is killed.

They would keep a GPU's memory from the run that goes on. The watch is a process of its own:
`python orphaned_engine.py PROCESS ENGINE…`, with ids of processes, ends the engines once the
process has ended. It needs nothing but the standard library.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

_GRACE_S = 10.0


def end_with_this_process(lm: Any) -> None:
    """Have the engine of lm-eval's `VLLM` ended when this process ends, however that ends.

    Nothing is done where the engine runs in this process, and on systems without pidfd.
    """
    resources = getattr(lm.model.llm_engine.engine_core, "resources", None)
    manager = getattr(resources, "engine_manager", None)
    ids = tuple(process.pid for process in getattr(manager, "processes", ()))
    if ids and hasattr(os, "pidfd_open"):
        _start_watch(os.getpid(), ids)


@cache
def _start_watch(process: int, engines: tuple[int, ...]) -> None:
    # Not in this process group: Ctrl-C is for the run, which ends its engine itself.
    subprocess.Popen(
        [sys.executable, __file__, str(process), *map(str, engines)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def watch(process: int, engines: Sequence[int]) -> None:
    """Wait until a process ends, then end the engines that are left; first in peace.

    Raises:
        ProcessLookupError: one of them is gone already.
    """
    # These stay with the process they were opened for, whatever its id is given to afterwards.
    owner = os.pidfd_open(process)
    left = [os.pidfd_open(engine) for engine in engines]
    select.select([owner], [], [])
    for how in (signal.SIGTERM, signal.SIGKILL):
        for engine in left:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(engine, how)
        while left:
            ended, _, _ = select.select(left, [], [], _GRACE_S)
            if not ended:
                break
            left = [engine for engine in left if engine not in ended]


if __name__ == "__main__":
    first, *rest = map(int, sys.argv[1:])
    watch(first, rest)
