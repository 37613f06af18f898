"""A measurement in a process of its own, which no other one has warmed up or filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def measured_apart(script: str, *arguments: object, threads: int = 1) -> list[Any]:
    """Run `python SCRIPT --measure ARGUMENTS…`, and read its last line as JSON.

    Raises:
        subprocess.CalledProcessError: the script failed.
    """
    command = [sys.executable, script, "--measure", *map(str, arguments)]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    environment = os.environ | limits
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    measured: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def write_or_say(text: str, out: Path | None) -> None:
    """Write a script's tables to a file, or to stdout if no file is named."""
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
