"""What is kept of an answer: its text, cut as lm-eval cuts it, and the tokens of that text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from slmroute_plugin.backends.chosen_option import choice_prob
from slmroute_plugin.backends.contract import Question
from slmroute_plugin.backends.openai_compatible.hidden_states import ReadTokens
from slmroute_plugin.backends.openai_compatible.responses import AnswerToken, Choice
from slmroute_plugin.backends.openai_compatible.token_alignment import TokenAlignment
from slmroute_plugin.backends.stop_strings import kept_span
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import Sample, Tokens


class KeptAnswer:
    """The part of a server's answer that is kept.

    Args:
        choice: what the server sent.
        stops: the first of them ends the answer; servers differ in whether they cut there.
        think_end: what stands before its last occurrence is not a part of the answer.

    Attributes:
        text: what is kept.
    """

    def __init__(
        self, choice: Choice, stops: Sequence[str] = (), think_end: str | None = None
    ) -> None:
        self._choice = choice
        whole = choice.text
        self._begin, end = kept_span(whole, stops, think_end)
        self.text = whole[self._begin : end]

    @property
    def has_thinking(self) -> bool:
        """Whether the model thought aloud before it answered."""
        return bool(self._choice.thinking or self._choice.text[: self._begin].strip())

    def tokens(self) -> Tokens | Missing:
        """Return ids and log-probabilities of the tokens with a part in the kept text.

        An id is -1 where the server does not tell it.
        """
        if isinstance(self._aligned, Missing):
            return self._aligned
        tokens, alignment = self._aligned
        places = alignment.tokens(self._begin, self._begin + len(self.text))
        within = tokens[places.start : places.stop]
        return Tokens(tuple(t.id for t in within), tuple(t.logprob for t in within))

    def sample(self) -> Sample:
        """Return the text as a drawn answer, with its tokens where the server tells them."""
        tokens = self.tokens()
        return Sample(self.text, None if isinstance(tokens, Missing) else tokens)

    def read_tokens(self) -> ReadTokens | Missing:
        """Return the ids of the prompt's tokens and of the answer's, up to the last kept."""
        if isinstance(self._aligned, Missing):
            return self._aligned
        tokens, alignment = self._aligned
        places = alignment.tokens(self._begin, self._begin + len(self.text))
        ids = tuple(token.id for token in tokens[: places.stop])
        if not self._choice.prompt_ids or min(ids, default=0) < 0:
            return Missing("the server did not tell which tokens it read and wrote")
        return ReadTokens(self._choice.prompt_ids, ids, places.start)

    def choice_prob(self, question: Question) -> float | Missing:
        """Return the probability of the token with which the answer names its option."""
        aligned = self._aligned
        if isinstance(aligned, Missing):
            return aligned

        def logprob_at(character: int) -> float:
            at = aligned.alignment.token_of(self._begin + character)
            return aligned.tokens[at].logprob

        return choice_prob(question, self.text, logprob_at)

    @cached_property
    def _aligned(self) -> _Aligned | Missing:
        choice = self._choice
        if choice.tokens is None:
            return Missing(f"the server {choice.fault}")
        pieces = [token.spelling for token in choice.tokens]
        alignment = TokenAlignment.of(pieces, choice.text, choice.thinking)
        if alignment is None:
            return Missing("the server's tokens do not spell its answer")
        return _Aligned(choice.tokens, alignment)


class _Aligned(NamedTuple):
    tokens: tuple[AnswerToken, ...]
    alignment: TokenAlignment
