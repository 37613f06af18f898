"""The UQ method `answer_agreement`: how many samples give the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import NoConfidence, Observation, Samples
from slmroute_plugin.signals import Signal


@dataclass(frozen=True)
class AnswerAgreement:
    """The share of m sampled answers whose final answer is that of the greedy answer.

    Whether two answers are the same, the task's own rule decides. Range [0, 1], in steps of 1/m.
    Source: Cole et al. 2023 (arXiv 2305.14613), who compare whole texts.

    Args:
        n: The number of samples, at least 1.
        temperature: The temperature of the sampling.
    """

    name: ClassVar[str] = "answer_agreement"
    on_request: ClassVar[bool] = True

    n: int = 5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"agreement needs at least 1 sample, not {self.n}")

    @property
    def _samples(self) -> Samples:
        return Samples(self.n, self.temperature)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the sampled answers."""
        return (self._samples,)

    def confidence(self, seen: Observation) -> float:
        """Return the share of samples that agree with the answer, in [0, 1].

        Raises:
            NoConfidence: If there are no samples.
        """
        return agreement(seen, seen[self._samples])


def agreement(seen: Observation, samples: tuple[str, ...]) -> float:
    """Return the share of samples whose final answer is the greedy answer's, in [0, 1].

    Raises:
        NoConfidence: If there are no samples.
    """
    if not samples:
        raise NoConfidence("there are no samples to agree with")
    return sum(seen.same_answer(seen.answer, sample) for sample in samples) / len(samples)
