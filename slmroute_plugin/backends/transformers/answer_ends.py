"""The reading behind finished answers, and how much of it is cached already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.transformers.cache.branches import Branches
from slmroute_plugin.backends.transformers.follow_ups import FollowUp
from slmroute_plugin.backends.transformers.question_work import QuestionWork
from slmroute_plugin.backends.transformers.sampling import Generated


@dataclass(frozen=True)
class Answered:
    """A finished answer, and the cache behind it: the prompt and all tokens but the last."""

    generated: Generated
    kept: Kept
    branch: Branches


@dataclass(frozen=True)
class AnswerEnd:
    """The tokens that are read behind one answer.

    Attributes:
        row: of the answer's cache.
        answer: prompt and answer, up to the last token that is kept.
        turns: follow-ups.
        head: what all turns begin with; the answer and a chat template's marks, mostly.
        cached: how many tokens of the head, or of every turn, need not be read again.
        state_in_head: whether the answer's last token is read with the head.
        reads_head: whether the head is read by itself, and once.
        state_at: where in what is read of the head the answer's last token is.
    """

    row: int
    work: QuestionWork
    answer: list[int]
    turns: list[FollowUp]
    head: list[int]
    cached: int
    state_in_head: bool
    reads_head: bool
    state_at: int

    @classmethod
    def of(
        cls,
        row: int,
        work: QuestionWork,
        answered: Answered,
        length: int,
        state: bool,
        turns: list[FollowUp],
    ) -> AnswerEnd:
        """Plan the reading behind an answer that has `length` tokens cached."""
        answer = [*work.ids, *answered.generated.ids[: answered.kept.end]]
        head = turns[0].ids[: common_head([turn.ids[:-1] for turn in turns])] if turns else []
        cached = min([length, *(turn.shared for turn in turns)])
        # The last token that is kept was read while decoding, but nobody knew then that it
        # is the last: its hidden state takes reading it once more.
        in_head = state and len(head) >= len(answer) and head[: len(answer)] == answer
        if in_head:
            cached = min(cached, len(answer) - 1)
        reads_head = in_head or (len(turns) > 1 and len(head) > cached)
        at = (len(answer) if in_head else len(head)) - 1 - cached
        return cls(row, work, answer, turns, head, cached, in_head, reads_head, at)


def common_head(sequences: Sequence[Sequence[int]]) -> int:
    """Return the length of the head that all sequences share."""
    most = min(len(one) for one in sequences)
    first = sequences[0]
    return next((i for i in range(most) if any(one[i] != first[i] for one in sequences)), most)
