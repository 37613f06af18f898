"""The UQ method `verbalization_2s`: a probability that the model states in a second turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import Observation, Reply
from slmroute_plugin.signals import Signal
from uq_plugins.stated_confidence import stated_confidence

FOLLOW_UP = """\
How likely is it that your answer is correct? Reply with the probability only, as a \
percentage from 0% to 100%, and with nothing else.
Probability:"""


@dataclass(frozen=True)
class Verbalization2S:
    """The probability in the model's reply to a follow-up that asks for nothing else.

    Range [0, 1]. Source: "Verb. 2S" of Tian et al. 2023 (arXiv 2305.14975), in our words.

    Args:
        follow_up: The text of the turn; `{question}` and `{answer}` are filled in.
        max_tokens: The largest number of tokens of the reply.
    """

    name: ClassVar[str] = "verbalization_2s"

    follow_up: str = FOLLOW_UP
    max_tokens: int = 32

    @property
    def _reply(self) -> Reply:
        return Reply(self.follow_up, self.max_tokens)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the reply to the follow-up."""
        return (self._reply,)

    def confidence(self, seen: Observation) -> float:
        """Return the probability that the reply states, in [0, 1].

        Raises:
            NoConfidence: If the reply does not state exactly one probability; see
                `stated_confidence`.
        """
        return stated_confidence(seen[self._reply])
