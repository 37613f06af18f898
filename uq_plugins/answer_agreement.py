"""The UQ method `answer_agreement`: how many samples give the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import Observation
from uq_plugins.sampling_method import SamplingMethod


@dataclass(frozen=True)
class AnswerAgreement(SamplingMethod):
    """The share of m sampled answers whose final answer is that of the greedy answer.

    Whether two answers are the same, the task's own rule decides. Range [0, 1], in steps of 1/m.
    Source: Cole et al. 2023 (arXiv 2305.14613), who compare whole texts.

    Args:
        n: The number of samples, at least 1.
        temperature: The temperature of the sampling.
    """

    name: ClassVar[str] = "answer_agreement"
    on_request: ClassVar[bool] = True
    fewest: ClassVar[int] = 1

    def confidence(self, seen: Observation) -> float:
        """Return the share of samples that agree with the answer, in [0, 1].

        Raises:
            NoConfidence: If there are no samples.
        """
        return agreement(seen, self.drawn(seen))


def agreement(seen: Observation, samples: tuple[str, ...]) -> float:
    """Return the share of samples, at least one, whose final answer is the greedy answer's."""
    return sum(seen.same_answer(seen.answer, sample) for sample in samples) / len(samples)
