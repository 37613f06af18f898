"""Which tokens of a generated sequence stand behind the text that is kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class Offsets:
    """The places in a decoded text at which tokens begin.

    Args:
        tokenizer: of transformers.
        ids: the generated tokens.
        context: tokens before them. Behind those, a tokenizer that strips the white space at a
            text's beginning keeps it.
        shows_special: whether special tokens are part of the text.

    Attributes:
        text: the decoded text of `ids`.
    """

    def __init__(
        self,
        tokenizer: Any,
        ids: Sequence[int],
        context: Sequence[int] = (),
        *,
        shows_special: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._ids = list(ids)
        self._context = list(context)
        self._skips_special = not shows_special
        self._before = self._decoded(self._context)
        self._known: dict[int, int] = {0: 0}
        self.text: str = self._decode(len(self._ids))
        self._known[len(self._ids)] = len(self.text)

    def begin_of(self, token: int) -> int:
        """Return how many characters of the text the tokens before `token` settle."""
        if token not in self._known:
            # Not the prefix's own length: a character whose bytes are incomplete decodes
            # to a replacement mark.
            self._known[token] = _common(self._decode(token), self.text)
        return self._known[token]

    def token_at(self, character: int) -> int:
        """Return the token that completes the given character."""
        found = bisect_right(range(1, len(self._ids)), character, key=self.begin_of)
        return min(found, max(len(self._ids) - 1, 0))

    def token_from(self, character: int) -> int:
        """Return the token with which the given character begins."""
        found = bisect_left(range(len(self._ids) + 1), character, key=self.begin_of)
        return found if self.begin_of(found) == character else found - 1

    def _decode(self, count: int) -> str:
        text = self._decoded([*self._context, *self._ids[:count]])
        return text[_common(text, self._before) :] if self._context else text

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=self._skips_special))


@dataclass(frozen=True)
class Kept:
    """The text that is kept of a generated sequence, and the tokens that it stands on.

    Attributes:
        text: the answer, without think text, cut at the first stop string or end token.
        start: first token with a character in `text`.
        end: one past the last token with a character in `text`.
        whole: one past the last token that lies wholly within `text`; a token that runs
            into a stop string counts for `end` only.
        rest: the text behind the whole tokens.
        offsets: where each token begins in the decoded text.
        begin: where `text` begins in it.
    """

    text: str
    start: int
    end: int
    whole: int
    rest: str
    offsets: Offsets = field(repr=False)
    begin: int = 0

    @classmethod
    def of(cls, offsets: Offsets, tokens: int, begin: int, end: int, *, first: int = 0) -> Kept:
        """Find the tokens of a stretch of the decoded text.

        Args:
            offsets: of the whole sequence.
            tokens: how many tokens it has.
            begin: the first character that is kept.
            end: one past the last character that is kept.
            first: the first token behind the think text, where it is known.
        """
        text = offsets.text
        start = max(first, offsets.token_from(begin)) if begin or first else 0
        if end == begin:
            start = tokens if begin == len(text) else start
            return cls("", start, start, start, "", offsets, begin)
        if end == len(text):
            return cls(text[begin:], start, tokens, tokens, "", offsets, begin)
        stop = offsets.token_at(end - 1) + 1
        whole = stop if offsets.begin_of(stop) <= end else stop - 1
        rest = text[max(offsets.begin_of(whole), begin) : end]
        return cls(text[begin:end], start, stop, whole, rest, offsets, begin)

    def token_of(self, character: int) -> int:
        """Return the index of the token that holds the given character of `text`."""
        return self.offsets.token_at(self.begin + character)


def _common(one: str, other: str) -> int:
    """Return the length of the head that two texts share."""
    if other.startswith(one):
        return len(one)
    if one.startswith(other):
        return len(other)
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
