"""A measurement in a process of its own, which no other one has warmed up or filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def measured_apart(script: str, *arguments: object, threads: int = 1) -> list[Any]:
    """The last line, as JSON, of `python SCRIPT --measure ARGUMENTS…`.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [sys.executable, script, "--measure", *map(str, arguments)]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    environment = os.environ | limits
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_or_say(text: str, out: Path | None) -> None:
    """Put a script's tables into a file, or on stdout where none is named."""
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
