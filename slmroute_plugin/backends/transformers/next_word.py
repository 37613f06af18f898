"""The probability that a word comes next, from the logits of the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from slmroute_plugin.backends.word_tokens import beginning_tokens


class NextWord:
    """A reader of words' probabilities as the next thing said.

    Args:
        tokenizer: of transformers.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: dict[str, list[int]] = {}

    def probabilities(self, logits: Tensor, words: Sequence[str]) -> dict[str, float]:
        """Return the probability of each word, summed over the tokens that can begin it.

        Args:
            logits: [vocabulary], raw.
            words: the words.
        """
        distribution = torch.softmax(logits.double(), dim=-1)
        return {word: float(distribution[self._beginning(word)].sum()) for word in words}

    def _beginning(self, word: str) -> list[int]:
        # The whole vocabulary is searched, once for each word.
        if word not in self._tokens:
            self._tokens[word] = sorted(beginning_tokens(self._tokenizer, word))
        return self._tokens[word]
