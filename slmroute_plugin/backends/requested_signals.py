"""The signals asked of a backend, sorted by kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import (
    ChoiceProb,
    FirstTokenProbs,
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
    first_words: tuple[FirstTokenProbs, ...] = ()
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
            samples=_with_shown(every),
            next_words=tuple(s for s in every if isinstance(s, NextTokenProbs)),
            replies=tuple(s for s in every if isinstance(s, Reply)),
            restated=tuple(s for s in every if isinstance(s, Restated)),
            first_words=tuple(s for s in every if isinstance(s, FirstTokenProbs)),
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

    @property
    def other_prompts(self) -> tuple[Restated | FirstTokenProbs, ...]:
        """The signals that ask the question with a further instruction."""
        return (*self.restated, *self.first_words)

    def layers(self, position: str) -> tuple[int, ...]:
        """Return the layers whose hidden states are asked for at a position, each once."""
        asked = (layer for state in self.states_at(position) for layer in state.layers)
        return tuple(dict.fromkeys(asked))

    def states_at(self, position: str) -> tuple[HiddenState, ...]:
        """Return the hidden states that are asked for at a position."""
        return tuple(state for state in self.hidden if state.position == position)

    @property
    def rows(self) -> int:
        """The largest number of sequences that one question has at the same time."""
        drawn = sum(signal.n for signal in self.samples)
        return max(1 + drawn + len(self.restated), len(self.follow_ups), 1)


def _with_shown(every: Sequence[Signal[Any]]) -> tuple[Samples, ...]:
    """Return the samples that are asked for, and those that follow-ups show and no other has."""
    samples = [signal for signal in every if isinstance(signal, Samples)]
    shown = (s.samples for s in every if isinstance(s, NextTokenProbs | Reply) and s.samples)
    for wanted in sorted(shown, key=lambda one: -one.n):
        if not any(has_samples(each, wanted) for each in samples):
            samples.append(wanted)
    return tuple(samples)


def has_samples(drawn: Samples, wanted: Samples) -> bool:
    """Tell whether samples hold others as their first: a draw's seed is that of its number."""
    return drawn.temperature == wanted.temperature and drawn.n >= wanted.n


def shown_samples(
    signal: NextTokenProbs | Reply, delivered: Mapping[Signal[Any], Any]
) -> tuple[str, ...] | Missing:
    """Return the samples that a follow-up shows, out of what was delivered; none if it shows none.

    Missing, with the reason, if the samples are.
    """
    if signal.samples is None:
        return ()
    for each, value in delivered.items():
        if isinstance(each, Samples) and has_samples(each, signal.samples):
            return value if isinstance(value, Missing) else tuple(value[: signal.samples.n])
    return Missing("no samples were drawn to be shown")
