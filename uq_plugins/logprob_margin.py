"""The UQ method `logprob_margin`: how much likelier the likeliest token is than the second."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenStatistics
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_statistics

_SCALE = 3.0
# Probabilities are float32: the least that is told from 0.
_LEAST = 2.0**-149


@dataclass(frozen=True)
class LogprobMargin:
    """The score 1 − exp(−m / 3) of the mean m over the answer's tokens of log p₁ − log p₂.

    p₁ and p₂ are the two highest probabilities, and logarithms are natural. Range [0, 1]. It is
    the method `margin` of vLLM Semantic Router.
    """

    name: ClassVar[str] = "logprob_margin"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for statistics of the vocabulary at each token of the answer."""
        return (TokenStatistics(),)

    def confidence(self, seen: Observation) -> float:
        """Return 1 − exp(−m / 3), in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        statistics = answer_statistics(seen)
        margins = zip(statistics.first, statistics.second, strict=True)
        mean = fmean(_log(first) - _log(second) for first, second in margins)
        return 1.0 - exp(-max(mean, 0.0) / _SCALE)


def _log(probability: float) -> float:
    return log(max(probability, _LEAST))
