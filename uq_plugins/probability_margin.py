"""The UQ method `probability_margin`: how far the likeliest token is ahead of the second."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenStatistics
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_statistics


@dataclass(frozen=True)
class ProbabilityMargin:
    """The mean over the answer's tokens of p₁ − p₂, the two highest probabilities. Range [0, 1].

    Source: the margin of Scheffer et al. 2001, averaged over tokens as by uqlm.
    """

    name: ClassVar[str] = "probability_margin"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for statistics of the vocabulary at each token of the answer."""
        return (TokenStatistics(),)

    def confidence(self, seen: Observation) -> float:
        """Return the mean of p₁ − p₂, in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        statistics = answer_statistics(seen)
        margins = zip(statistics.first, statistics.second, strict=True)
        return fmean(first - second for first, second in margins)
