"""The example that takes Gemma's tokenizer out of a GGUF file."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from checkout import ROOT

FILE = ROOT / "examples" / "small" / "gemma_tokenizer.py"
SPECIAL = [("<pad>", 3), ("<eos>", 3), ("<bos>", 3), ("<unk>", 3)]
DEFINED = [("\n\n", 4), ("▁▁", 4)]
# In the order in which they are merged.
WORDS = ["an", "nd", "▁a", "and", "▁and"]


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("gemma_tokenizer", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tokenizer(example: Any) -> Any:
    apart = [("▁", 1), *((letter, 1) for letter in "abdn"), ("\n", 1)]
    every = [(text, -1000.0, kind) for text, kind in [*SPECIAL, *DEFINED]]
    every += [(f"<0x{byte:02X}>", -1000.0, 6) for byte in range(256)]
    every += [(word, -float(rank), 1) for rank, word in enumerate(WORDS)]
    every += [(text, -1000.0, kind) for text, kind in apart]
    return example.tokenizer_of([example.Piece(*piece) for piece in every])


def test_words_are_merged_by_rank(tokenizer: Any) -> None:
    ids = tokenizer.encode("and and band")
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "and", "▁and", "▁", "b", "and"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a\n\nb", ["a", "\n\n", "b"]),
        ("a  b", ["a", "▁▁", "b"]),
        ("é", ["<0xC3>", "<0xA9>"]),
    ],
)
def test_breaks_spaces_and_bytes_stay_what_they_are(
    tokenizer: Any, text: str, pieces: list[str]
) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.convert_ids_to_tokens(ids) == ["<bos>", *pieces]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
