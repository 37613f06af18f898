"""The UQ method `token_entropy`: how open the model was to other tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenStatistics
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_statistics


@dataclass(frozen=True)
class TokenEntropy:
    """exp(−H), where H is the mean over the answer's tokens of the entropy over the vocabulary.

    Its inverse is the number of equally likely tokens with the same entropy. Range [0, 1], 1 where
    no other token was possible. Source: mean token entropy, Fomicheva et al. 2020 (arXiv
    2005.10608), where H in nats is the uncertainty.
    """

    name: ClassVar[str] = "token_entropy"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for statistics of the vocabulary at each token of the answer."""
        return (TokenStatistics(),)

    def confidence(self, seen: Observation) -> float:
        """Return exp(−mean entropy), in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        return exp(-fmean(answer_statistics(seen).entropy))
