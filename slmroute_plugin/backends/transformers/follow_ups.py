"""Further turns behind an answer: their tokens, and how much of them is cached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slmroute_plugin.backends.follow_up import NO_ROOM
from slmroute_plugin.backends.further_turns import FurtherTurns
from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.requested_signals import RequestedSignals, shown_samples
from slmroute_plugin.backends.transformers.question_work import QuestionWork
from slmroute_plugin.backends.transformers.sampling import Generated
from slmroute_plugin.backends.work import TokenSequence
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import NextTokenProbs, Reply


@dataclass(frozen=True)
class FollowUp:
    """A further turn behind an answer.

    Attributes:
        ids: the whole sequence: prompt, answer and turn.
        shared: how many of them are the same as prompt and generated answer.
    """

    work: QuestionWork
    signal: NextTokenProbs | Reply
    ids: list[int]
    shared: int

    def reply(self) -> Generated:
        """Return the reply to the turn, to be generated."""
        limit = self.signal.max_tokens if isinstance(self.signal, Reply) else 1
        reply = Generated(self.work.rule.without_stops(), limit)
        self.work.sequences.append(TokenSequence(self.signal, self.ids, reply.ids))
        return reply


class FollowUps:
    """A writer of follow-up turns behind answers, in tokens.

    Args:
        turns: writes them, as tokens.
        context: most tokens that the model takes.
    """

    def __init__(self, turns: FurtherTurns, context: int) -> None:
        self._turns = turns
        self._context = context

    def turns(
        self, work: QuestionWork, answer: Generated, kept: Kept, wanted: RequestedSignals
    ) -> Iterator[FollowUp]:
        """Yield the follow-ups to one answer; those without room are marked missing."""
        for signal in wanted.follow_ups:
            samples = shown_samples(signal, work.signals)
            if isinstance(samples, Missing):
                work.signals[signal] = samples
                continue
            text = self._turns.text(
                signal.follow_up, work.question.text, kept.text, work.question.chat, samples
            )
            ids, shared = self._turns.tokens(work.ids, answer.ids, kept, text)
            limit = signal.max_tokens if isinstance(signal, Reply) else 1
            if len(ids) + limit > self._context:
                work.signals[signal] = Missing(NO_ROOM)
                continue
            if isinstance(signal, NextTokenProbs):
                work.sequences.append(TokenSequence(signal, ids))
            yield FollowUp(work, signal, ids, shared)
