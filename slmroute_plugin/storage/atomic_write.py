"""The writing of a file in one step: a reader sees either the old file or the new one."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil


class NotWritable(OSError):
    """An error for a file that cannot be written where it is to be; its text says why."""


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


def check_writable(path: Path) -> None:
    """Check whether `written_whole` can write a file, before the work that goes into it.

    Nothing is left behind: a folder that is not there yet is not made.

    Raises:
        NotWritable: If the folder cannot be made or written to, a name is too long, or there is a
            folder of the file's name.
    """
    path = path.absolute()
    try:
        folder, missing = _nearest_folder(path.parent)
        longest = os.pathconf(folder, "PC_NAME_MAX")
        for name in (*missing, path.name):
            if len(os.fsencode(name)) > longest:
                raise OSError(errno.ENAMETOOLONG, f"File name too long ({name})")
        if path.is_dir():
            raise OSError(errno.EISDIR, "Is a directory")
        with TemporaryDirectory(dir=folder, prefix=".slmroute-"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        why = getattr(error, "strerror", None) or error
        raise NotWritable(f"{path} cannot be written: {why}.") from error


def _nearest_folder(folder: Path) -> tuple[Path, list[str]]:
    """Return the folder, or the nearest above it that is there, and the names that are missing."""
    missing: list[str] = []
    while True:
        try:
            mode = folder.stat().st_mode
        except FileNotFoundError:
            if folder.is_symlink():
                raise OSError(errno.ENOENT, f"{folder} is a link to nothing") from None
            missing.append(folder.name)
            folder = folder.parent
            continue
        if not stat.S_ISDIR(mode):
            raise OSError(errno.ENOTDIR, f"{folder} is not a folder")
        return folder, missing


def _mark(path: Path) -> str:
    # The machine's name is part of it, because another machine may write to a shared disk. The
    # file's name is not, because it may be as long as a name can be.
    name = hashlib.blake2b(os.fsencode(path.name), digest_size=6).hexdigest()
    return f".{name}.{socket.gethostname()}-"


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
