"""Where a reply ends, and which of its tokens belong to the text that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from slmroute_plugin.backends.kept_tokens import Kept, Offsets
from slmroute_plugin.backends.stop_strings import answer_begin, first_stop, restated_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
            reply = self._reply(ids, response_start)
            if self._restated_end(reply, is_complete=False) is not None:
                return True
        if not self.stops or not self._may_end_with(ids[-1]):
            return False
        # A stop string spans at most as many tokens as it has bytes; a few more for tokens that
        # decode to nothing.
        window = max(len(stop.encode()) for stop in self.stops) + 4
        first = max(response_start, len(ids) - window)
        tail = self._decode(ids[first:])
        if not any(stop in tail for stop in self.stops):
            return False
        reply = tail if self.think_end is None else self._reply(ids, response_start)
        return any(stop in reply for stop in self.stops)

    def _reply(self, ids: Sequence[int], first: int) -> str:
        """Return the text from a token on; of a model that thinks, from its first letter on."""
        text = self._decode(ids[first:])
        # `kept` strips what separates an answer from its think text, line breaks mostly, so that
        # no stop string is met there.
        return text if self.think_end is None else text.lstrip()

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
        begin = 0
        if isinstance(self.think_end, int):
            begin = len(text) - len(text[offsets.begin_of(first) :].lstrip())
        elif self.think_end is not None:
            begin = answer_begin(text, self.think_end)
        cut = first_stop(text, self.stops, begin)
        if (length := self._restated_end(text[begin:cut])) is not None:
            cut = begin + length
        return Kept.of(offsets, end, begin, cut, first=first)

    def _restated_end(self, reply: str, *, is_complete: bool = True) -> int | None:
        return restated_end(reply, self.task_stops, self.marker, is_complete=is_complete)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
