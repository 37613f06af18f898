"""Whether a file can be written is found out before it is, and leaves no trace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slmroute_plugin.storage.atomic_write import NotWritable, check_writable, written_whole

NOBODY = 65534


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Takes away root's right to write anywhere, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    parents = [each for each in (tmp_path, *tmp_path.parents) if each.stat().st_uid == 0]
    modes = {each: each.stat().st_mode for each in parents if not each.stat().st_mode & 0o001}
    for each, mode in modes.items():
        each.chmod(mode | 0o005)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)
    for each, mode in modes.items():
        each.chmod(mode)


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("name", ["file.txt", "new/folder/file.txt", "ü" * 90, "a/" * 60 + "file"])
def test_what_can_be_written_leaves_no_trace_and_is_written_later(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    check_writable(path)
    assert tree(tmp_path) == []
    with written_whole(path) as unfinished:
        unfinished.touch()
    check_writable(path)
    assert path.is_file()


def a_file_in_the_way(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "new" / "file.txt"


def a_folder_in_its_place(folder: Path) -> Path:
    (folder / "file.txt").mkdir()
    return folder / "file.txt"


def a_link_to_nothing(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "nowhere")
    return folder / "link" / "file.txt"


FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file in the way": (a_file_in_the_way, "Not a directory|is not a folder"),
    "a folder in its place": (a_folder_in_its_place, "Is a directory"),
    "a link to nothing": (a_link_to_nothing, "link to nothing"),
    "a long name": (lambda folder: folder / ("x" * 256), "File name too long"),
    "a long name in bytes": (lambda folder: folder / ("é" * 128), "File name too long"),
    "a long folder": (lambda folder: folder / "new" / ("x" * 256) / "f", "File name too long"),
    "a long path": (lambda folder: folder / ("x" * 200 + "/") / "/".join(["y" * 200] * 25), "long"),
    "a null in a folder": (lambda folder: folder / "a\0b" / "file.txt", "null"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_written_is_named_with_the_reason(name: str, tmp_path: Path) -> None:
    make, why = FAULTS[name]
    path = make(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(NotWritable, match=why) as refused:
        check_writable(path)
    assert str(refused.value).startswith(f"{path} cannot be written: ")
    assert tree(tmp_path) == before
    with pytest.raises((OSError, ValueError)), written_whole(path) as unfinished:
        unfinished.touch()


def test_a_folder_that_may_only_be_read(tmp_path: Path, nobody: None) -> None:
    folder = tmp_path / "read only"
    if os.geteuid() == NOBODY:
        os.seteuid(0)
        folder.mkdir(mode=0o755)
        os.seteuid(NOBODY)
    else:
        folder.mkdir(mode=0o555)
    for path in (folder / "file.txt", folder / "new" / "file.txt"):
        with pytest.raises(NotWritable, match="Permission denied"):
            check_writable(path)
