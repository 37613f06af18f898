"""A process that compares mathematical expressions, a JSON line in and a line out for each.

math-verify limits its time by SIGALRM, which takes the alarm away from others in the process
and does not work outside the main thread; sympy can also fill the memory or stay in C code. In a
process of its own none of that reaches the caller, who can end it.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TextIO

_MEMORY_BYTES = 4 << 30


def serve(questions: TextIO, replies: TextIO) -> None:
    """Answer each line `["target", "answer"]` with `true` or `false` until the input ends."""
    from slmroute_plugin.scoring.math_values import same_value

    for line in questions:
        target, answer = json.loads(line)
        try:
            same = same_value(target, answer)
        except Exception:  # What sympy cannot compute is not equal to anything.
            same = False
        replies.write(json.dumps(same) + "\n")
        replies.flush()


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every platform
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


if __name__ == "__main__":
    _limit_memory()
    replies = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        serve(sys.stdin, replies)
