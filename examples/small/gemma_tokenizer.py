"""The tokenizer in a GGUF file of Gemma, for transformers: `gemma_tokenizer.py <file>.gguf`.

transformers takes such a file's vocabulary for that of a unigram model, and splits "and" into "a"
and "nd", as Gemma has never seen it. The vocabulary is one of byte-pair encoding. This script
writes tokenizer.json and tokenizer_config.json beside the file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from gguf import GGUFReader
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

SPACE = "▁"
# Kinds of pieces, as llama.cpp numbers them.
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4


class Piece(NamedTuple):
    """A piece of the vocabulary.

    Attributes:
        text: The text of the piece.
        score: The rank of the piece; pieces with a higher rank are merged first.
        kind: The kind of the piece, as llama.cpp numbers it.
    """

    text: str
    score: float
    kind: int


def pieces_of(file: Path) -> list[Piece]:
    """Return the vocabulary of a GGUF file, in the order of its ids."""
    fields = GGUFReader(file).fields
    texts, scores, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "scores", "token_type")
    )
    return [Piece(*piece) for piece in zip(texts, scores, kinds, strict=True)]


def merges_of(pieces: list[Piece]) -> list[tuple[str, str]]:
    """Return all pairs of pieces that make a third piece, in the order in which they are merged."""
    ids = {piece.text: index for index, piece in enumerate(pieces)}
    ranked: list[tuple[float, int, int]] = []
    for text, score, kind in pieces:
        spaces = kind == USER_DEFINED and not text.strip(SPACE)
        if kind != NORMAL and not spaces:
            continue
        # Runs of spaces are taken whole, before anything else.
        rank = float(len(text)) - 1e9 if spaces else -score
        for cut in range(1, len(text)):
            left, right = ids.get(text[:cut]), ids.get(text[cut:])
            if left is not None and right is not None:
                ranked.append((rank, left, right))
    return [(pieces[left].text, pieces[right].text) for _, left, right in sorted(ranked)]


def tokenizer_of(pieces: list[Piece]) -> PreTrainedTokenizerFast:
    """Build Gemma's tokenizer, which joins spaces to words and writes unknown text as bytes."""
    made = Tokenizer(
        models.BPE(
            vocab={piece.text: index for index, piece in enumerate(pieces)},
            merges=merges_of(pieces),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    made.normalizer = normalizers.Replace(" ", SPACE)
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_special_tokens([p.text for p in pieces if p.kind == CONTROL])
    made.add_tokens(
        [
            AddedToken(piece.text, normalized=False)
            for piece in pieces
            if piece.kind == USER_DEFINED and piece.text.strip(SPACE)
        ]
    )
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A",
        pair="<bos> $A <bos>:1 $B:1",
        special_tokens=[("<bos>", made.token_to_id("<bos>"))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )


if __name__ == "__main__":
    file = Path(sys.argv[1])
    tokenizer_of(pieces_of(file)).save_pretrained(file.parent)
