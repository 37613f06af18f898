"""The UQ method `p_ik`: the probability that the model says it can answer, before it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import FirstTokenProbs, NoConfidence, Observation
from slmroute_plugin.signals import Signal

INSTRUCTION = """\
Do not answer yet. First say whether you know the correct answer to the question above. \
Reply with one word, Yes or No."""


@dataclass(frozen=True)
class PIk:
    """The share p(Yes) / (p(Yes) + p(No)) where the model is asked whether it can answer.

    It is asked before it answers, so that a router can decide without an answer. Range [0, 1].
    Source: P(IK), "I know", of Kadavath et al. 2022 (arXiv 2207.05221), section 5, who train the
    model for it; here it is asked in words.

    Args:
        instruction: The instruction, added below the task's own.
    """

    name: ClassVar[str] = "p_ik"
    on_request: ClassVar[bool] = True
    before_answer: ClassVar[bool] = True

    instruction: str = INSTRUCTION

    @property
    def _verdict(self) -> FirstTokenProbs:
        return FirstTokenProbs(self.instruction, ("Yes", "No"))

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the probability of either word as the first of the reply."""
        return (self._verdict,)

    def confidence(self, seen: Observation) -> float:
        """Return p(Yes) / (p(Yes) + p(No)), in [0, 1].

        Raises:
            NoConfidence: If both words have probability 0.
        """
        verdict = seen[self._verdict]
        yes, no = verdict["Yes"], verdict["No"]
        if yes + no == 0:
            raise NoConfidence("neither Yes nor No has any probability")
        return yes / (yes + no)
