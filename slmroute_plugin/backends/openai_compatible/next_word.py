"""The probability that a word comes next, from a server's most likely tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from slmroute_plugin.backends.openai_compatible.responses import AnswerToken, Choice, Likely
from slmroute_plugin.backends.word_tokens import beginning_tokens, first_tokens
from slmroute_plugin.observation import Missing

_NOTHING = AnswerToken(b"", 0.0)


class LikelyWords:
    """A reader of words' probabilities from the most likely tokens.

    A word's probability is the sum over those of the server's most likely tokens that can
    begin it: that spell it, with white space around it or without, and, where the model's
    tokenizer is at hand, the first token of a word that takes several.

    Args:
        tokenizer: of transformers, or None.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, frozenset[int]] = {}

    def probabilities(self, choice: Choice, words: Sequence[str]) -> Mapping[str, float] | Missing:
        """Return each word's probability as the reply's first; missing unless all words are likely.

        What lies below the most likely tokens is not known, so it counts neither as 0 nor as
        part of a sum.
        """
        if choice.tokens is None:
            return Missing(f"the server {choice.fault}")
        likely = choice.tokens[0].likely if choice.tokens else ()
        found = {word: self._beginning(word, likely) for word in words}
        absent = [repr(word) for word, tokens in found.items() if not tokens]
        if absent:
            return Missing(
                f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not among the "
                f"{len(likely)} most likely tokens, and the server tells no more"
            )
        return {
            word: min(sum(exp(token.logprob) for token in tokens), 1.0)
            for word, tokens in found.items()
        }

    def candidates(self, words: Sequence[str]) -> tuple[int, ...]:
        """Return every token that can begin one of the words; none without a tokenizer."""
        if self._tokenizer is None:
            return ()
        return tuple(sorted({token for word in words for token in self._tokens(word)}))

    def exact(self, choice: Choice, words: Sequence[str]) -> Mapping[str, float] | Missing:
        """Return each word's probability, from a reply that tells of all tokens that can begin it.

        Missing if the server left one of them out.
        """
        told = {one.id: one.logprob for one in (choice.tokens or (_NOTHING,))[0].likely}
        absent = [token for token in self.candidates(words) if token not in told]
        if absent:
            return Missing(f"the server left out the log-probabilities of {len(absent)} tokens")
        return {
            word: min(sum(exp(told[token]) for token in self._tokens(word)), 1.0) for word in words
        }

    def _tokens(self, word: str) -> frozenset[int]:
        # The whole vocabulary is searched, once for each word.
        if word not in self._known:
            self._known[word] = beginning_tokens(self._tokenizer, word)
        return self._known[word]

    def _beginning(self, word: str, likely: Sequence[Likely]) -> list[Likely]:
        texts = {word, *self._first_tokens(word)}
        return [token for token in likely if _plain(token.text) in texts]

    def _first_tokens(self, word: str) -> set[str]:
        if self._tokenizer is None:
            return set()
        ids = first_tokens(self._tokenizer, word)
        return {self._tokenizer.decode([token]).strip() for token in ids}


def _plain(token: str) -> str:
    # Some servers show a space as vocabularies write it.
    return token.replace("▁", " ").replace("Ġ", " ").strip()
