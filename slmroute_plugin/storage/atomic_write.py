"""The writing of a file in one step: a reader sees either the old file or the new one."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and move the file to `path` after the `with` block.

    If the block fails, nothing is left behind and an earlier file at `path` stays as it was. The
    folder of `path` is made if it does not exist. Unfinished copies of the same file that a killed
    process left in that folder are removed.

    Raises:
        OSError: If the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    # It is a folder, because some writers put temporary files of their own beside the file.
    folder = path.with_name(f"{_mark(path)}{os.getpid()}")
    unfinished = folder / path.name
    try:
        folder.mkdir(exist_ok=True)
        # The file is made here so that it gets the usual permissions: some writers make it
        # readable by its owner alone, and results are shared.
        unfinished.touch()
        permissions = unfinished.stat().st_mode
        yield unfinished
        unfinished.chmod(permissions)
        unfinished.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mark(path: Path) -> str:
    # The machine's name is part of it, because another machine may write to a shared disk.
    return f".{path.name}.{socket.gethostname()}-"


def _remove_abandoned(path: Path) -> None:
    mark = _mark(path)
    for folder in path.parent.iterdir():
        process = folder.name.removeprefix(mark)
        if (
            folder.name.startswith(mark)
            and process.isdigit()
            and not psutil.pid_exists(int(process))
        ):
            shutil.rmtree(folder, ignore_errors=True)
