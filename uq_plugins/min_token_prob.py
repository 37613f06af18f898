"""The UQ method `min_token_prob`: an answer is as sure as its least sure token."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar

from slmroute_plugin import Observation, TokenLogprobs
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_logprobs


@dataclass(frozen=True)
class MinTokenProb:
    """The least probability of a token of the answer, min p. Range [0, 1].

    Source: Manakul et al. 2023 (arXiv 2303.08896), as max(-log p).
    """

    name: ClassVar[str] = "min_token_prob"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the answer's log-probabilities."""
        return (TokenLogprobs(),)

    def confidence(self, seen: Observation) -> float:
        """Return the least probability of a token of the answer, in [0, 1].

        Raises:
            NoConfidence: If the answer is empty.
        """
        return exp(min(answer_logprobs(seen)))
