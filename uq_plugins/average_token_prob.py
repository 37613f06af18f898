"""The UQ method `average_token_prob`: the probability that the model gave to its own answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import ChoiceProb, Observation, TokenLogprobs
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_logprobs


@dataclass(frozen=True)
class AverageTokenProb:
    """The probability of the chosen option; for free-form answers, the mean probability of a token.

    Range [0, 1]. Source: Mahaut et al. 2024 (arXiv 2406.13415), Chuang et al. 2025
    (arXiv 2502.04428).
    """

    name: ClassVar[str] = "average_token_prob"

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signals for either kind of question, of which `confidence` reads one."""
        return (TokenLogprobs(), ChoiceProb())

    def confidence(self, seen: Observation) -> float:
        """Return p(chosen option) for a choice or a boolean, else mean exp(log p), in [0, 1].

        Raises:
            NoConfidence: If the answer is empty or names no option.
        """
        if seen.kind != "free":
            return seen[ChoiceProb()]
        return fmean(exp(logprob) for logprob in answer_logprobs(seen))
