"""The UQ method `p_true`: the probability that the model calls its own answer true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import NextTokenProbs, NoConfidence, Observation, Samples
from slmroute_plugin.signals import Signal
from uq_plugins.option_checks import check_at_least

# The cue at the end makes the word come next, in a chat turn and in plain text alike.
FOLLOW_UP = """\
Proposed answer: {answer}
Is the proposed answer True or False? Reply with one word, True or False.
The proposed answer is:"""
FOLLOW_UP_WITH_SAMPLES = f"""\
Here are other answers that came to mind:
{{samples}}
{FOLLOW_UP}"""


@dataclass(frozen=True)
class PTrue:
    """The share p(True) / (p(True) + p(False)) after a follow-up that shows the answer.

    Range [0, 1]. Source: Kadavath et al. 2022 (arXiv 2207.05221), section 3.

    Args:
        follow_up: The text of the turn; `{question}` and `{answer}` are filled in, and
            `{samples}` if samples are shown. By default, a text that shows them if there are any.
        shown_samples: The number of the model's samples that the turn shows, at temperature 1.
    """

    name: ClassVar[str] = "p_true"

    follow_up: str = FOLLOW_UP
    shown_samples: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, "shown_samples", self.shown_samples)
        if self.shown_samples and "{samples}" not in self._text:
            raise ValueError("`follow_up` shows no samples: put {samples} into it")

    @property
    def _text(self) -> str:
        if self.shown_samples and self.follow_up == FOLLOW_UP:
            return FOLLOW_UP_WITH_SAMPLES
        return self.follow_up

    @property
    def _verdict(self) -> NextTokenProbs:
        samples = Samples(self.shown_samples) if self.shown_samples else None
        return NextTokenProbs(self._text, ("True", "False"), samples)

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
