"""The UQ method `p_true`: the probability that the model calls its own answer true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import NextTokenProbs, NoConfidence, Observation
from slmroute_plugin.signals import Signal

# The cue at the end makes the word come next, in a chat turn and in plain text alike.
FOLLOW_UP = """\
Proposed answer: {answer}
Is the proposed answer True or False? Reply with one word, True or False.
The proposed answer is:"""


@dataclass(frozen=True)
class PTrue:
    """The share p(True) / (p(True) + p(False)) after a follow-up that shows the answer.

    Range [0, 1]. Source: Kadavath et al. 2022 (arXiv 2207.05221), section 3.

    Args:
        follow_up: The text of the turn; `{question}` and `{answer}` are filled in.
    """

    name: ClassVar[str] = "p_true"

    follow_up: str = FOLLOW_UP

    @property
    def _verdict(self) -> NextTokenProbs:
        return NextTokenProbs(self.follow_up, ("True", "False"))

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the probability of either word after the follow-up."""
        return (self._verdict,)

    def confidence(self, seen: Observation) -> float:
        """Return p(True) / (p(True) + p(False)), in [0, 1].

        Raises:
            NoConfidence: If both words have probability 0.
        """
        verdict = seen[self._verdict]
        true, false = verdict["True"], verdict["False"]
        if true + false == 0:
            raise NoConfidence("neither True nor False has any probability after the follow-up")
        return true / (true + false)
