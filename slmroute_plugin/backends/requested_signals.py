"""The signals asked of a backend, sorted by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
)


@dataclass(frozen=True)
class RequestedSignals:
    """The signals asked for, by kind."""

    hidden: tuple[HiddenState, ...] = ()
    samples: tuple[Samples, ...] = ()
    next_words: tuple[NextTokenProbs, ...] = ()
    replies: tuple[Reply, ...] = ()
    restated: tuple[Restated, ...] = ()
    tokens: bool = False
    statistics: bool = False
    choice: bool = False
    prompt_states: bool = False

    @classmethod
    def of(cls, signals: Iterable[Signal[Any]]) -> RequestedSignals:
        """Sort signals by kind, and within a kind by their text, so that a set's order is lost."""
        every = sorted(signals, key=repr)
        return cls(
            hidden=tuple(s for s in every if isinstance(s, HiddenState)),
            samples=tuple(s for s in every if isinstance(s, Samples)),
            next_words=tuple(s for s in every if isinstance(s, NextTokenProbs)),
            replies=tuple(s for s in every if isinstance(s, Reply)),
            restated=tuple(s for s in every if isinstance(s, Restated)),
            tokens=TokenLogprobs() in every,
            statistics=TokenStatistics() in every,
            choice=ChoiceProb() in every,
            prompt_states=PromptStates() in every,
        )

    @property
    def states(self) -> tuple[HiddenState | PromptStates, ...]:
        """Signals that take hidden states."""
        return (*self.hidden, *((PromptStates(),) if self.prompt_states else ()))

    @property
    def follow_ups(self) -> tuple[NextTokenProbs | Reply, ...]:
        """The signals that put a further turn to the model."""
        return (*self.next_words, *self.replies)

    def layers(self, position: str) -> tuple[int, ...]:
        """Return the layers whose hidden states are asked for at a position."""
        return tuple(state.layer for state in self.hidden if state.position == position)

    @property
    def rows(self) -> int:
        """The largest number of sequences that one question has at the same time."""
        drawn = sum(signal.n for signal in self.samples)
        return max(1 + drawn + len(self.restated), len(self.follow_ups), 1)
