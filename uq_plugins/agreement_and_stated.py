"""The UQ method `agreement_and_stated`: two samples that agree, and a stated probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import Observation, Reply
from slmroute_plugin.signals import Signal
from uq_plugins.answer_agreement import agreement
from uq_plugins.sampling_method import SamplingMethod
from uq_plugins.stated_confidence import stated_confidence
from uq_plugins.verbalization_2s import FOLLOW_UP


@dataclass(frozen=True)
class AgreementAndStated(SamplingMethod):
    """The mean of `answer_agreement` with two samples and of the stated probability.

    Range [0, 1]. Source: the combination of few samples with stated confidence of arXiv
    2603.19118, with the task's own rule for agreement.

    Args:
        n: The number of samples, at least 1.
        temperature: The temperature of the sampling.
        follow_up: The text of the turn that asks for the probability; `{question}` and `{answer}`
            are filled in.
        max_tokens: The largest number of tokens of the reply to it.
    """

    name: ClassVar[str] = "agreement_and_stated"
    on_request: ClassVar[bool] = True
    fewest: ClassVar[int] = 1

    n: int = 2
    follow_up: str = FOLLOW_UP
    max_tokens: int = 32

    @property
    def _reply(self) -> Reply:
        return Reply(self.follow_up, self.max_tokens)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signals for the sampled answers and for the reply to the follow-up."""
        return (self.samples, self._reply)

    def confidence(self, seen: Observation) -> float:
        """Return the mean of agreement and stated probability, in [0, 1].

        Raises:
            NoConfidence: If there are no samples, or if the reply does not state exactly one
                probability; see `stated_confidence`.
        """
        stated = stated_confidence(seen[self._reply])
        return (agreement(seen, self.drawn(seen)) + stated) / 2
