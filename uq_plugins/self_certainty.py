"""The UQ method `self_certainty`: how far the model's distributions are from uniform."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenStatistics
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_statistics


@dataclass(frozen=True)
class SelfCertainty:
    """k / (1 + k), where k is the mean over tokens of KL(uniform ‖ p) = −(1/V) Σ log p − log V.

    V is the number of tokens that can come. Range [0, 1), 0 where all tokens were equally likely.
    Source: Kang et al. 2025 (arXiv 2502.18581), where k itself is the confidence.
    """

    name: ClassVar[str] = "self_certainty"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for statistics of the vocabulary at each token of the answer."""
        return (TokenStatistics(),)

    def confidence(self, seen: Observation) -> float:
        """Return k / (1 + k), in [0, 1).

        Raises:
            NoConfidence: If the answer is empty.
        """
        statistics = answer_statistics(seen)
        pairs = zip(statistics.mean_logprob, statistics.possible, strict=True)
        divergence = max(0.0, fmean(-mean - log(possible) for mean, possible in pairs))
        return 1 - 1 / (1 + divergence)
