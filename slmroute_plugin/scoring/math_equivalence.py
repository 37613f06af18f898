"""The comparison of mathematical expressions, in bounded time and from any thread."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import weakref
from functools import lru_cache

_LOGGER = logging.getLogger(__name__)
_SECONDS = 20.0
_START_SECONDS = 60.0


class MathEquivalence:
    """A comparer of expressions, in a worker process which starts at the first question.

    A worker that does not answer in time, or dies, is replaced for the next question, and the
    expressions count as different.

    Args:
        seconds: The longest time that a comparison may take. The first comparison has a minute
            more, in which the worker loads sympy.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[str] | None = None

    def __call__(self, target: str, answer: str) -> bool:
        """Return whether `answer` has the value of `target`; both are LaTeX."""
        with self._lock:
            seconds = self._seconds
            if self._worker is None:
                self._worker = _started()
                weakref.finalize(self, _stop, self._worker, os.getpid())
                seconds += _START_SECONDS
            reply = _ask(self._worker, json.dumps([target, answer]), seconds)
            if not reply:
                _LOGGER.warning("comparing %.200r with %.200r was given up", answer, target)
                _stop(self._worker, os.getpid())
                self._worker = None
            return reply == "true\n"


def math_equivalence() -> MathEquivalence:
    """Return the comparer that all rules of this process share."""
    return _comparer_of(os.getpid())


@lru_cache(maxsize=1)
def _comparer_of(process_id: int) -> MathEquivalence:
    # One for each process: a forked child must not talk through its parent's pipes.
    return MathEquivalence()


def _started() -> subprocess.Popen[str]:
    search_path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", "slmroute_plugin.scoring.math_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search_path},
        text=True,
        encoding="utf-8",
    )


def _ask(worker: subprocess.Popen[str], question: str, seconds: float) -> str:
    """Return the worker's reply; an empty text if it died, or was ended after so many seconds."""
    assert worker.stdin and worker.stdout
    timer = threading.Timer(seconds, worker.kill)
    timer.daemon = True
    timer.start()
    try:
        worker.stdin.write(question + "\n")
        worker.stdin.flush()
        return worker.stdout.readline()
    except OSError:
        return ""
    finally:
        timer.cancel()


def _stop(worker: subprocess.Popen[str], owner: int) -> None:
    if owner != os.getpid():  # a forked child must leave its parent's worker alone
        return
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe:
            try:
                pipe.close()
            except OSError:
                _LOGGER.debug("the worker's pipe broke first")
