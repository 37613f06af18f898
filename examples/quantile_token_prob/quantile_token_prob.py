"""The UQ method `quantile_token_prob` for slmroute: a low quantile of the token probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar

from slmroute_plugin import NoConfidence, Observation, TokenLogprobs, hookimpl
from slmroute_plugin.signals import Signal


@dataclass(frozen=True)
class QuantileTokenProb:
    """The probability that a tenth of the answer's tokens are below. Range [0, 1].

    Source: Gupta et al. 2024 (arXiv 2404.10136), who defer to a larger model by quantiles of the
    tokens' log-probabilities.

    Args:
        quantile: The share of the tokens that are below, from 0 (the least likely token) to 1.
    """

    name: ClassVar[str] = "quantile_token_prob"

    quantile: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.quantile <= 1:
            raise ValueError(f"`quantile` must be from 0 to 1, not {self.quantile}")

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the answer's log-probabilities."""
        return (TokenLogprobs(),)

    def confidence(self, seen: Observation) -> float:
        """Return the quantile of the token probabilities, in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        logprobs = sorted(seen[TokenLogprobs()].logprobs)
        if not logprobs:
            raise NoConfidence("the answer is empty")
        return exp(logprobs[min(int(self.quantile * len(logprobs)), len(logprobs) - 1)])


@hookimpl
def slmroute_methods() -> list[QuantileTokenProb]:
    """Offer the methods of this package."""
    return [QuantileTokenProb()]
