"""The UQ method `perplexity`: one over the perplexity of the answer's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenLogprobs
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_logprobs


@dataclass(frozen=True)
class Perplexity:
    """The geometric mean of the tokens' probabilities, 1 / PPL = exp(mean log p).

    Range [0, 1]. Source: Chuang et al. 2025 (arXiv 2502.04428), which prints PPL without
    the minus sign in its exponent; the standard definition is used here.
    """

    name: ClassVar[str] = "perplexity"

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the answer's log-probabilities."""
        return (TokenLogprobs(),)

    def confidence(self, seen: Observation) -> float:
        """Return exp(mean log p), in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        return exp(fmean(answer_logprobs(seen)))
