"""What goes into the page is compact, shared and cut."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.page.blocks import Blocks
from slmroute_plugin.analysis.page.columns import packed
from slmroute_plugin.analysis.page.texts import MARK, cut


def test_the_bytes_of_a_column_are_sorted_by_significance() -> None:
    data = packed({"x": np.array([1.0, -2.5])})
    length = int.from_bytes(data[:4], "little")
    assert json.loads(data[4 : 4 + length]) == [{"name": "x", "kind": "float", "n": 2}]
    # 1.0 is 3f800000 and −2.5 is c0200000 in IEEE 754.
    assert data[4 + length :] == bytes.fromhex("0000 0000 8020 3fc0")


def test_what_rows_are_ordered_by_keeps_every_digit() -> None:
    near = np.array([1 - 1e-12, 1 - 2e-12, 1e-60])
    data = packed({"confidence/m": near})
    length = int.from_bytes(data[:4], "little")
    assert json.loads(data[4 : 4 + length])[0]["kind"] == "exact"
    sorted_bytes = np.frombuffer(data[4 + length :], "u1").reshape(8, 3)
    assert np.ascontiguousarray(sorted_bytes.T).view("<f8").ravel().tolist() == near.tolist()


def test_second_differences_of_a_smooth_column_are_small() -> None:
    straight = np.linspace(0.5, 0.6, 1000)
    plain, smooth = packed({"x": straight}), packed({"x": straight}, smooth=True)
    assert len(zlib.compress(smooth)) < len(zlib.compress(plain)) / 3


def test_equal_data_are_in_the_page_once() -> None:
    blocks = Blocks()
    assert [blocks.add(b"one"), blocks.add(b"two"), blocks.add(b"one")] == [0, 1, 0]
    assert [zlib.decompress(b64decode(block)) for block in blocks] == [b"one", b"two"]


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_texts_that_were_not_kept_are_no_block(texts: list[str]) -> None:
    blocks = Blocks()
    assert blocks.add_texts(texts) is None
    assert list(blocks) == []


def test_half_a_surrogate_pair_does_not_stop_the_page() -> None:
    blocks = Blocks()
    blocks.add_texts(["\ud83d"])
    (block,) = blocks
    assert json.loads(zlib.decompress(b64decode(block))) == ["?"]


@given(st.text(), st.integers(10, 40))
def test_a_text_keeps_its_ends_and_says_what_is_missing(text: str, longest: int) -> None:
    kept = cut(text, longest)
    assert len(kept) <= longest + len(MARK)
    if kept != text:
        head, _, tail = kept.partition(MARK)
        assert MARK in kept and text.startswith(head)
        assert kept.endswith(text[-4:]) and tail
