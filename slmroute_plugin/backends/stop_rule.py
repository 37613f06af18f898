"""Where a reply ends, and which of its tokens belong to the text that is kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends.stop_strings import answer_begin, first_stop, restated_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Offsets:
    """The places in a decoded text at which tokens begin."""

    def __init__(self, tokenizer: Any, ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = list(ids)
        self._known: dict[int, int] = {0: 0}
        self.text: str = self._decode(len(self._ids))
        self._known[len(self._ids)] = len(self.text)

    def begin_of(self, token: int) -> int:
        """Return how many characters of the text the tokens before `token` settle."""
        if token not in self._known:
            # Not the prefix's own length: a character whose bytes are incomplete decodes
            # to a replacement mark.
            prefix = self._decode(token)
            same = next(
                (i for i, (a, b) in enumerate(zip(prefix, self.text, strict=False)) if a != b),
                min(len(prefix), len(self.text)),
            )
            self._known[token] = same
        return self._known[token]

    def token_at(self, character: int) -> int:
        """Return the index of the token that completes the given character."""
        found = bisect_right(range(1, len(self._ids)), character, key=self.begin_of)
        return min(found, max(len(self._ids) - 1, 0))

    def token_from(self, character: int) -> int:
        """Return the index of the token with which the given character begins."""
        found = bisect_left(range(len(self._ids) + 1), character, key=self.begin_of)
        return found if self.begin_of(found) == character else found - 1

    def _decode(self, count: int) -> str:
        return str(self._tokenizer.decode(self._ids[:count], skip_special_tokens=True))


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

    def token_of(self, character: int) -> int:
        """Return the index of the token that holds the given character of `text`."""
        return self.offsets.token_at(self.begin + character)


@dataclass(frozen=True)
class StopRule:
    """A rule by which a sequence of tokens ends, and by which a part of it is kept.

    Args:
        tokenizer: of the model that generates.
        end_ids: tokens that end a sequence.
        stops: strings that end it; they are not looked for in think text.
        think_end: token id or string that ends the think text, if the model thinks.
        task_stops: the task's own stop strings, for replies to restated questions: those of
            white space and punctuation end them as `restated_end` says.
        marker: the word that the added line of such a reply begins with.
    """

    tokenizer: PreTrainedTokenizerBase
    end_ids: frozenset[int]
    stops: tuple[str, ...] = ()
    think_end: int | str | None = None
    task_stops: tuple[str, ...] = ()
    marker: str = ""
    _may_end: dict[int, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def without_stops(self) -> StopRule:
        """Return the rule for replies that the task's stop strings do not concern."""
        return replace(self, stops=())

    def with_added_line(self, task_stops: tuple[str, ...], marker: str) -> StopRule:
        """Return the rule for replies to a restated question, whose answer has an added line."""
        return replace(self, task_stops=task_stops, marker=marker)

    def ended(self, ids: Sequence[int], response_start: int | None) -> bool:
        """Tell whether `ids` are complete with their last token.

        Args:
            response_start: where the think text ends (see `response_start`), None if it does not.
        """
        if ids[-1] in self.end_ids:
            return True
        if response_start is None:
            return False
        if self.task_stops and "\n" in self._decode(ids[-1:]):
            reply = self._decode(ids[response_start:])
            if self._restated_end(reply, is_complete=False) is not None:
                return True
        if not self.stops or not self._may_end_with(ids[-1]):
            return False
        # A stop string spans at most as many tokens as it has bytes; a few more for
        # tokens that decode to nothing.
        window = max(len(stop.encode()) for stop in self.stops) + 4
        tail = self._decode(ids[max(response_start, len(ids) - window) :])
        return any(stop in tail for stop in self.stops)

    def _may_end_with(self, token: int) -> bool:
        """Tell whether this token can complete a stop string: most tokens cannot.

        Saves decoding the tail after every token, which for hundreds of sequences at once takes
        as long as a pass of a small model on a GPU.
        """
        if token not in self._may_end:
            text = self._decode([token])
            # Blanks may be lost where a token stands alone, and incomplete characters are marks.
            unsure = not text.strip() or "\ufffd" in text
            self._may_end[token] = unsure or any(
                stop[-1] in text or stop[-1].isspace() for stop in self.stops
            )
        return self._may_end[token]

    def response_start(self, ids: Sequence[int]) -> int | None:
        """Return the index of the first token behind the think text; None before its end."""
        if self.think_end is None:
            return 0
        if isinstance(self.think_end, int):
            where = [i for i, token in enumerate(ids) if token == self.think_end]
            return where[-1] + 1 if where else None
        # The end mark may be several tokens long: look where its last character came.
        if self.think_end in self._decode(ids[-len(self.think_end.encode()) - 4 :]):
            return len(ids)
        return None

    def kept(self, ids: Sequence[int]) -> Kept:
        """Cut the complete sequence `ids` as lm-eval does, and return what is kept."""
        end = next((i for i, token in enumerate(ids) if token in self.end_ids), len(ids))
        first = 0
        if isinstance(self.think_end, int):
            first = next((i + 1 for i in reversed(range(end)) if ids[i] == self.think_end), 0)
        offsets = Offsets(self.tokenizer, ids[:end])
        text = offsets.text
        thought = first > 0
        begin = offsets.begin_of(first)
        if thought:
            begin = len(text) - len(text[begin:].lstrip())
        if isinstance(self.think_end, str):
            begin = answer_begin(text, self.think_end)
            thought = self.think_end in text
        cut = first_stop(text, self.stops, begin)
        if (length := self._restated_end(text[begin:cut])) is not None:
            cut = begin + length
        if cut == begin:
            start = end if begin == len(text) else max(first, offsets.token_at(begin))
            return Kept("", start, start, start, "", offsets, begin)
        start = max(first, offsets.token_from(begin)) if thought else 0
        if cut == len(text):
            return Kept(text[begin:], start, end, end, "", offsets, begin)
        stop = offsets.token_at(cut - 1) + 1
        whole = stop if offsets.begin_of(stop) <= cut else stop - 1
        rest = text[max(offsets.begin_of(whole), begin) : cut]
        return Kept(text[begin:cut], start, stop, whole, rest, offsets, begin)

    def _restated_end(self, reply: str, *, is_complete: bool = True) -> int | None:
        return restated_end(reply, self.task_stops, self.marker, is_complete=is_complete)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
