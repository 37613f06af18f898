"""Sample files: every line is one row, or costs itself alone and is named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmroute_plugin.storage.sample_files import (
    SampleFileError,
    UnreadLine,
    lines_in_words,
    newest_sample_files,
    read_samples,
    rows_lost,
    run_of,
    write_samples,
)

NAME = "samples_slmroute_a_2026-01-01T00-00-00.000000.jsonl"


def row(doc_id: int) -> dict[str, Any]:
    return {"doc_id": doc_id, "filter": "slm", "acc": 1.0, "answer": 'says "doc_id": é'}


def encoded(doc_id: int) -> bytes:
    return json.dumps(row(doc_id), ensure_ascii=False).encode()


# What is done to the first two of four lines, the rows that are left, and what is said.
DAMAGE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[int], int, str]] = {
    "an empty line": (lambda old: [old[0], b"", *old[1:]], [0, 1, 2, 3], 2, "the line is empty"),
    "blanks": (lambda old: [old[0], b" \t", *old[1:]], [0, 1, 2, 3], 2, "the line is empty"),
    "two rows": (lambda old: [old[0] + old[1], *old[2:]], [2, 3], 1, "not one JSON object"),
    "a list": (lambda old: [old[0], b"[1]", *old[2:]], [0, 2, 3], 2, "not a JSON object"),
    "null": (lambda old: [old[0], b"null", *old[2:]], [0, 2, 3], 2, "not a JSON object"),
    "cut in a letter": (lambda old: [*old[:3], old[3][:-3]], [0, 1, 2], 4, "not one JSON object"),
    "cut in the head": (lambda old: [*old[:3], b'{"do'], [0, 1, 2], 4, "not one JSON object"),
    "zeros": (lambda old: [old[0], bytes(40), *old[2:]], [0, 2, 3], 2, "not one JSON object"),
    "brackets": (
        lambda old: [old[0], b"[" * 100_000, *old[2:]], [0, 2, 3], 2, "not one JSON object"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_line_costs_itself_alone_and_is_named(name: str, tmp_path: Path) -> None:
    change, left, line, fault = DAMAGE[name]
    path = tmp_path / NAME
    path.write_bytes(b"\n".join(change([encoded(i) for i in range(4)])))
    unread: list[UnreadLine] = []
    assert list(read_samples(path, unread.append)) == [row(i) for i in left]
    assert str(unread[0]).startswith(f"{path}, line {line}: {fault}")
    assert len(unread) == 1
    assert rows_lost(unread) == 4 - len(left)
    with pytest.raises(SampleFileError, match=f"line {line}: {fault}"):
        list(read_samples(path))


def test_a_mark_of_the_byte_order_is_not_damage(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"\xef\xbb\xbf" + encoded(0) + b"\r\n")
    assert list(read_samples(path)) == [row(0)]


def test_a_packed_file_is_read_as_a_plain_one_is(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(gzip.compress(encoded(0) + b"\n" + encoded(1) + b"\n"))
    assert list(read_samples(path)) == [row(0), row(1)]
    assert newest_sample_files(tmp_path) == {"slmroute_a": path}


@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz"])
def test_a_sample_file_tells_its_task_and_the_results_beside_it(name: str, tmp_path: Path) -> None:
    own, earlier, later = (
        tmp_path / f"results_{year}-01-01T00-00-00.000000.json" for year in (2026, 2025, 2027)
    )
    for path in (own, earlier, later):
        path.touch()
    assert run_of(tmp_path / name) == ("slmroute_a", [own, earlier])
    assert run_of(tmp_path / f"{name}.bak") is None


@pytest.mark.parametrize("change", [lambda data: data[:-9], lambda data: data[:-20] + bytes(20)])
def test_a_damaged_packed_file_is_named(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(change(gzip.compress(b"\n".join(encoded(i) for i in range(100)))))
    with pytest.raises(SampleFileError, match=r"\.gz (is damaged, or was cut off|cannot be read)"):
        list(read_samples(path, lambda _: None))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(SampleFileError, match=r"nowhere\.jsonl cannot be read: No such file"):
        list(read_samples(tmp_path / "nowhere.jsonl"))
    with pytest.raises(SampleFileError, match="cannot be read: Is a directory"):
        list(read_samples(tmp_path))


def test_of_many_damaged_lines_three_are_named_and_all_are_counted() -> None:
    lines = [UnreadLine(Path("f"), number, "cut", b"{") for number in range(1, 6)]
    assert lines_in_words(lines) == (
        "f, line 1: cut; f, line 2: cut; f, line 3: cut; …. Left out: 5 lines"
    )


@given(noise=st.binary(max_size=60).filter(lambda noise: b"\n" not in noise))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_rewritten_loses_nothing(noise: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    path = tmp_path / NAME
    path.write_bytes(encoded(0) + b"\n" + noise + b"\n" + encoded(1))
    unread: list[UnreadLine] = []
    rows = list(read_samples(path, unread.append))
    written = write_samples(folder, "slmroute_a", rows, unread)
    again: list[UnreadLine] = []
    assert list(read_samples(written, again.append)) == rows
    # What holds nothing is not worth a copy.
    assert [line.content for line in again] == [line.content for line in unread if line.rows]
