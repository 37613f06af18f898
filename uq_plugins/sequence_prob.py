"""The UQ method `sequence_prob`: the probability of the whole answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, fsum
from typing import ClassVar

from slmroute_plugin import Observation, TokenLogprobs
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_logprobs


@dataclass(frozen=True)
class SequenceProb:
    """The probability of the answer, exp(Σ log p). Range [0, 1].

    It is the maximum sequence probability of the literature (MSP), since the answer is the greedy
    answer. Below a log-probability of -745, it is 0 in double precision.
    """

    name: ClassVar[str] = "sequence_prob"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the answer's log-probabilities."""
        return (TokenLogprobs(),)

    def confidence(self, seen: Observation) -> float:
        """Return the product of the token probabilities, in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        return exp(fsum(answer_logprobs(seen)))
