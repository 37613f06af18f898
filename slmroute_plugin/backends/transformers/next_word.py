"""Which tokens begin a word, for the probability that it comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Words:
    """Probabilities of words as the next thing said.

    A word's probability is the sum over the tokens that can begin it: those that spell it,
    with white space before it or without ("True", " True", "▁True"), and where the
    vocabulary takes several tokens for a spelling, the first of them.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: dict[str, list[int]] = {}

    def probabilities(self, logits: Tensor, words: Sequence[str]) -> dict[str, float]:
        """By word, from raw logits [vocabulary]."""
        distribution = torch.softmax(logits.double(), dim=-1)
        return {word: float(distribution[self.tokens(word)].sum()) for word in words}

    def tokens(self, word: str) -> list[int]:
        """Ids of the tokens that begin `word`."""
        if word not in self._tokens:
            self._tokens[word] = sorted(self._spelling(word) | self._beginning(word))
        return self._tokens[word]

    def _spelling(self, word: str) -> set[int]:
        candidates = [
            index
            for piece, index in self._tokenizer.get_vocab().items()
            if _text(piece).count(word) and len(piece) <= len(word) + 6
        ]
        return {index for index in candidates if self._tokenizer.decode([index]).strip() == word}

    def _beginning(self, word: str) -> set[int]:
        spellings = (
            self._tokenizer.encode(lead + word, add_special_tokens=False) for lead in ("", " ")
        )
        # The lead may be a token of its own, which begins every word alike.
        heads = ([i for i in ids if self._tokenizer.decode([i]).strip()] for ids in spellings)
        return {ids[0] for ids in heads if ids}


def _text(piece: str | bytes) -> str:
    # Some tokenizers of remote code keep bytes.
    return piece.decode("utf-8", "replace") if isinstance(piece, bytes) else piece
