"""What is to be done for one question: its tokens, its limits, and the signals wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

from slmroute_plugin.backends.contract import Observed, Question
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.transformers.sampling import Generated, Sampling
from slmroute_plugin.backends.transformers.stopping import Kept, StopRule
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.observation import Missing, Observation
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
    Tokens,
)

_GENERATION = ("until", "max_gen_toks", "do_sample", "temperature", "top_k", "top_p")


@dataclass(frozen=True)
class Wanted:
    """The signals asked for, by kind."""

    hidden: tuple[HiddenState, ...] = ()
    samples: tuple[Samples, ...] = ()
    next_words: tuple[NextTokenProbs, ...] = ()
    replies: tuple[Reply, ...] = ()
    restated: tuple[Restated, ...] = ()
    tokens: bool = False
    choice: bool = False
    prompt_states: bool = False

    @classmethod
    def of(cls, signals: Iterable[Signal[Any]]) -> Wanted:
        """Sorted by their text, so that the order of a set changes nothing."""
        every = sorted(signals, key=repr)
        return cls(
            hidden=tuple(s for s in every if isinstance(s, HiddenState)),
            samples=tuple(s for s in every if isinstance(s, Samples)),
            next_words=tuple(s for s in every if isinstance(s, NextTokenProbs)),
            replies=tuple(s for s in every if isinstance(s, Reply)),
            restated=tuple(s for s in every if isinstance(s, Restated)),
            tokens=TokenLogprobs() in every,
            choice=ChoiceProb() in every,
            prompt_states=PromptStates() in every,
        )

    @property
    def follow_ups(self) -> tuple[NextTokenProbs | Reply, ...]:
        """Signals that put a further turn to the model."""
        return (*self.next_words, *self.replies)

    def layers(self, position: str) -> tuple[int, ...]:
        """Hidden states wanted at a position."""
        return tuple(state.layer for state in self.hidden if state.position == position)

    @property
    def rows(self) -> int:
        """Sequences that one question makes at most at the same time."""
        drawn = sum(signal.n for signal in self.samples)
        return max(1 + drawn + len(self.restated), len(self.follow_ups), 1)


@dataclass(frozen=True)
class Generation:
    """lm-eval's generation settings, as we carry them out."""

    stops: tuple[str, ...]
    max_tokens: int
    sampling: Sampling | None

    @classmethod
    def of(cls, settings: Mapping[str, Any], default_max_tokens: int) -> Generation:
        """From lm-eval's mapping.

        Raises:
            ValueError: a setting that we do not carry out.
        """
        known = normalize_gen_kwargs(dict(settings), default_max_tokens)
        for name in known:
            if name not in _GENERATION:
                raise ValueError(
                    f"--gen_kwargs {name}: slmroute's tasks take {', '.join(_GENERATION)}. "
                    f"{did_you_mean(name, _GENERATION)}"
                )
        temperature = float(known.get("temperature", 0.0))
        sampling = None
        if known["do_sample"] and temperature > 0:
            top_p = known.get("top_p")
            top_k = known.get("top_k")
            sampling = Sampling(
                temperature,
                int(top_k) if top_k is not None else None,
                float(top_p) if top_p is not None else None,
            )
        stops = handle_stop_sequences(list(known["until"]), eos=None)
        if known["max_gen_toks"] < 1:
            raise ValueError(f"max_gen_toks must be 1 or more, not {known['max_gen_toks']}")
        return cls(tuple(stop for stop in stops if stop), known["max_gen_toks"], sampling)


@dataclass(frozen=True)
class Restatement:
    """A restated prompt's tokens, and its own limit."""

    ids: list[int]
    max_tokens: int


@dataclass
class Work:
    """One question on its way: what goes in, and what was seen so far."""

    index: int
    question: Question
    ids: list[int]
    rule: StopRule
    generation: Generation
    restated: Mapping[Restated, Restatement | Missing]
    seed: int
    signals: dict[Signal[Any], Any] = field(default_factory=dict)

    def answer(self) -> Generated:
        """The main answer, to be generated."""
        seed = question_seed(self.seed, self.question.prompt, -1)
        return Generated(self.rule, self.generation.max_tokens, self.generation.sampling, seed)

    def drawn(self, samples: Samples) -> list[Generated]:
        """The further answers of a `Samples` signal, to be generated."""
        return [
            Generated(
                self.rule,
                self.generation.max_tokens,
                Sampling(samples.temperature),
                question_seed(self.seed, self.question.prompt, draw),
            )
            for draw in range(samples.n)
        ]

    def reply(self, restatement: Restatement) -> Generated:
        """The reply to a restated prompt, to be generated."""
        return Generated(self.rule.without_stops(), restatement.max_tokens)

    def observed(self, answer: Generated, kept: Kept, wanted: Wanted) -> Observed:
        """All that was seen, once every signal is in."""
        tokens = Tokens(
            tuple(answer.ids[kept.start : kept.end]), tuple(answer.logprobs[kept.start : kept.end])
        )
        if wanted.tokens:
            self.signals[TokenLogprobs()] = tokens
        if wanted.choice:
            self.signals[ChoiceProb()] = self._choice_prob(answer, kept)
        observation = Observation(
            self.question.text, kept.text, self.question.kind, dict(self.signals)
        )
        return Observed(self.index, observation, tokens)

    def _choice_prob(self, answer: Generated, kept: Kept) -> float | Missing:
        if self.question.kind == "free" or self.question.locate is None:
            return Missing("the question offers no options")
        span = self.question.locate(kept.text)
        if span is None:
            return Missing("the answer names no option")
        return math.exp(answer.logprobs[kept.token_of(span.start)])


def texts(sequences: Sequence[Generated]) -> tuple[str, ...]:
    """The text kept of each sequence."""
    return tuple(sequence.kept().text for sequence in sequences)
