"""The alignment of tokens with the text that they spell, although servers show them inexactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_UNCLEAR = "\N{REPLACEMENT CHARACTER}".encode()
# How vocabularies write a space and a line break; some servers show tokens like that.
_MARKS = (("▁".encode(), b" "), ("Ġ".encode(), b" "), ("Ċ".encode(), b"\n"))


class _Span(NamedTuple):
    start: int
    end: int


class TokenAlignment:
    """A text, and the stretch of it that each token stands for, in bytes of UTF-8."""

    def __init__(self, text: str, spans: Sequence[_Span]) -> None:
        self._text = text
        self._spans = spans

    @classmethod
    def of(cls, pieces: Sequence[bytes], text: str, thinking: str = "") -> TokenAlignment | None:
        """Find `text` in what the tokens spell; None if they do not spell it.

        Servers differ. The text may lack white space at its beginning and a stop string at
        its end; tokens of think text or of the chat's format may stand before it, end tokens
        behind it. A token may lack the space before its word, and a character of several
        tokens may be shown as nothing, or as replacement marks.

        Args:
            pieces: the tokens, UTF-8.
            text: the answer.
            thinking: what the tokens before it say, if the server tells.
        """
        for shown in (pieces, [_unmarked(piece) for piece in pieces]):
            found = _find(shown, text.encode(), _behind(shown, thinking.strip().encode()))
            if found is not None:
                return cls(text, found)
        return None

    def tokens(self, start: int, end: int) -> range:
        """Return the indices of the tokens with a part in text[start:end]."""
        first, last = self._bytes(start), self._bytes(end)
        within = [
            index
            for index, span in enumerate(self._spans)
            if max(span.start, first) < min(span.end, last)
        ]
        return range(within[0], within[-1] + 1) if within else range(0)

    def token_of(self, character: int) -> int:
        """Return the index of the token that completes the given character of the text."""
        last = self._bytes(character + 1)
        return next(index for index, span in enumerate(self._spans) if span.end >= last)

    def _bytes(self, characters: int) -> int:
        return len(self._text[:characters].encode())


def _unmarked(piece: bytes) -> bytes:
    for mark, meant in _MARKS:
        piece = piece.replace(mark, meant)
    return piece


def _behind(pieces: Sequence[bytes], thinking: bytes) -> int:
    """Return the index of the first token behind the think text; 0 if there is none."""
    spans = _find(pieces, thinking, 0) if thinking else None
    if spans is None:
        return 0
    return max(index for index, span in enumerate(spans) if span.end > span.start) + 1


def _find(pieces: Sequence[bytes], text: bytes, first: int) -> list[_Span] | None:
    if not text:
        return [_Span(0, 0)] * len(pieces)
    is_stripped = not text[:1].isspace()
    while is_stripped and first < len(pieces) and pieces[first].isspace():
        first += 1
    # At the beginning, or else the last place: what stands before it is not a part of the answer.
    clear = [i for i, piece in enumerate(pieces) if i > first and piece.split(_UNCLEAR)[0].strip()]
    for shown in [first, *reversed(clear)]:
        start = shown
        # Tokens that are shown as nothing may be the beginning of the first character.
        while start > first and not pieces[start - 1]:
            start -= 1
        own = list(pieces[start:])
        if own and is_stripped:
            own[shown - start] = own[shown - start].lstrip()
        spans = _spell(own, text)
        if spans is not None:
            return [*[_Span(0, 0)] * start, *spans]
    return None


def _spell(pieces: Sequence[bytes], text: bytes) -> list[_Span] | None:
    """Find the stretch of `text` that each token stands for, if together they begin with it."""
    spans: list[_Span] = []
    run = _Run()
    at = 0
    for index, piece in enumerate(pieces):
        spans.append(_Span(at, at))
        for number, part in enumerate(piece.split(_UNCLEAR)):
            if at == len(text):
                break
            if number:
                run.add(index, least=1)
            if not part:
                continue
            found = run.place(part, text, at, is_first=not number)
            if found is None:
                return None
            run.close(spans, found.start, text)
            spans[index] = _Span(spans[index].start if number else found.start, found.end)
            at = found.end
        if not piece:
            run.add(index, least=0)
    if at < len(text):
        if not run.tokens or not _is_unshown(text[at:]):
            return None
        run.close(spans, len(text), text)
    return spans


@dataclass
class _Run:
    """A row of tokens whose characters the server did not show."""

    tokens: list[int] = field(default_factory=list)
    least: int = 0

    def add(self, token: int, least: int) -> None:
        self.tokens.append(token)
        self.least = max(self.least, least)

    def close(self, spans: list[_Span], end: int, text: bytes) -> None:
        """End the row at `end`, where the next characters that are shown begin."""
        for token in self.tokens:
            spans[token] = _Span(spans[token].start, end)
        # Where nothing lies between, the tokens are the first bytes of the next character, as far
        # as it has bytes: it is shown with its last token. The space before it may be lost.
        first = end + text.startswith(b" ", end)
        further = _width(text, first) - 1
        for byte, token in enumerate(self.tokens[-further:] if further else ()):
            if spans[token].start == end:
                spans[token] = _Span(first + byte, first + byte + 1)
        self.tokens.clear()
        self.least = 0

    def place(self, part: bytes, text: bytes, at: int, *, is_first: bool) -> _Span | None:
        """Find where the next characters shown stand: at `at`, or behind those of the row."""
        most = len(text) if self.tokens else at + 1
        starts = [*range(at + self.least, most)]
        if self.least and len(self.tokens) < _width(text, at):
            # Or the marks stand for the first bytes of the very character that is shown.
            starts.append(at)
        for start in starts:
            if not _is_unshown(text[at:start]):
                continue
            # A server that decodes tokens one by one loses the space before a word.
            lost = is_first and text.startswith(b" ", start) and not part.startswith(b" ")
            rest = text[start + lost :]
            # At its end the text may be cut within a token.
            if rest and (rest.startswith(part) or part.startswith(rest)):
                return _Span(start, min(start + lost + len(part), len(text)))
        if self.tokens and _is_unshown(text[at:]):
            return _Span(len(text), len(text))
        return None


def _width(text: bytes, at: int) -> int:
    """Return the number of bytes of the character at a place; 1 at the end."""
    lead = text[at] if at < len(text) else 0
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


def _is_unshown(stretch: bytes) -> bool:
    # Only characters beyond ASCII take several tokens.
    return all(byte >= 0x80 for byte in stretch)
