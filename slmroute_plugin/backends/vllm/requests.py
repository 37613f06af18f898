"""What is asked of an engine that takes many sequences in one call, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One sequence to be continued.

    Attributes:
        ids: the tokens to read.
        max_tokens: the most tokens to generate, at least 1.
        stops: strings that end the reply.
        temperature: of the sampling; 0 for greedy decoding.
        top_k: the number of likeliest tokens to draw from; None for all.
        top_p: the probability mass to draw from; None for all.
        seed: of the draws.
        logprobs: whether the log-probability of each generated token is wanted.
        candidates: tokens whose log-probabilities as the first generated token are wanted.
        states_from: the first token, counted from the sequence's beginning, whose hidden
            states are wanted; None if none are.
    """

    ids: list[int]
    max_tokens: int
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    logprobs: bool = False
    candidates: tuple[int, ...] = ()
    states_from: int | None = None


@dataclass(frozen=True)
class Completion:
    """One sequence as it was continued.

    Attributes:
        ids: the generated tokens, without an end token; those of a stop string are among them.
        text: their text, cut before the stop string that ended it.
        logprobs: natural log-probability of each token under raw logits, if asked for.
        candidates: natural log-probability of each candidate as the first token.
        states: the file with the hidden states, if asked for.
        states_of: how many tokens, from the sequence's beginning, have hidden states.
        cached: how many of the prompt's tokens the engine found in its cache.
        generated: how many tokens were generated, the end token among them.
    """

    ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] = ()
    candidates: Mapping[int, float] = field(default_factory=dict)
    states: Path | None = None
    states_of: int = 0
    cached: int = 0
    generated: int = 0
