"""A text that was edited, and the way back from its characters to the original."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Edit(NamedTuple):
    """A replacement of the characters from `start` to `end`."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True)
class MappedText:
    """A text, and for each of its characters the span of the original that it comes from.

    Args:
        text: The text that is to be read.
        starts: The offsets in the original at which the characters begin.
        ends: The offsets in the original at which the characters end.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, original: str) -> MappedText:
        """Return the text as it is, each character standing for itself."""
        return cls(original, range(len(original)), range(1, len(original) + 1))

    def part(self, start: int, end: int) -> MappedText:
        """Return the characters from `start` to `end`."""
        return MappedText(self.text[start:end], self.starts[start:end], self.ends[start:end])

    def edited(self, edits: Iterable[Edit]) -> MappedText:
        """Return the text with the edits made, which come in order and do not overlap.

        A character that an edit puts in stands for all that the edit takes away.
        """
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for edit in edits:
            pieces += (self.text[done : edit.start], edit.replacement)
            starts += self.starts[done : edit.start]
            ends += self.ends[done : edit.start]
            first, last = self._span(edit.start, edit.end)
            starts += [first] * len(edit.replacement)
            ends += [last] * len(edit.replacement)
            done = edit.end
        if not pieces:
            return self
        pieces.append(self.text[done:])
        starts += self.starts[done:]
        ends += self.ends[done:]
        return MappedText("".join(pieces), starts, ends)

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original from which the characters `start` to `end` come."""
        return self.starts[start], self.ends[end - 1]

    def _span(self, start: int, end: int) -> tuple[int, int]:
        if start < end:
            return self.original_span(start, end)
        at = self.starts[start] if start < len(self.starts) else self.ends[-1] if self.ends else 0
        return at, at
