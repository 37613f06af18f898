"""The goals that a threshold can be calibrated for."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

GoalKind = Literal["ratio", "accuracy", "kept_accuracy", "budget_usd", "cpt"]

_WORDS = {
    "ratio": "at most {value:g} of the questions routed",
    "accuracy": "overall accuracy of {value:g} after routing",
    "kept_accuracy": "accuracy of {value:g} among the answers that are kept",
    "budget_usd": "at most ${value:g} to pay",
    "cpt": "{value:g} of the way from the SLM's accuracy to the LLM's",
}


def option_of(kind: GoalKind) -> str:
    """Name the option of `slmroute calibrate` that sets a goal of this kind."""
    return f"--{kind.replace('_', '-')}"


class GoalError(ValueError):
    """The error for a goal that makes no sense, or cannot be judged on the answers at hand."""


@dataclass(frozen=True)
class Goal:
    """A goal that a threshold is to reach.

    Attributes:
        kind: "ratio" and "budget_usd" are limits, and the largest threshold within them is
            sought. "accuracy" (overall, after routing), "kept_accuracy" (of the answers that
            are kept) and "cpt" (the share of the way from the SLM's accuracy to the LLM's) are
            floors, and the smallest threshold that reaches them is sought.
        value: for a budget, dollars of at least 0; for the others, a number in [0, 1].
        guarantee: the probability in (0, 1) with which a ratio or the accuracy of kept answers
            has to hold on new data; None if it need only hold on the answers at hand. An
            `accuracy` with a guarantee is that of kept answers.
        questions: the number of questions that a budget is for; None for as many as were
            answered.
        per_task: whether a guarantee has to hold on every task, not on their mixture alone.

    Raises:
        GoalError: a value is out of range, or the kind of goal cannot be guaranteed.
    """

    kind: GoalKind
    value: float
    guarantee: float | None = None
    questions: int | None = None
    per_task: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            GoalError: a value is out of range, or the kind of goal cannot be guaranteed.
        """
        option = option_of(self.kind)
        if self.kind == "budget_usd":
            if not 0 <= self.value < inf:
                raise GoalError(f"{option} {self.value:g}: dollars, at least 0, are needed")
        elif not 0 <= self.value <= 1:
            raise GoalError(f"{option} {self.value:g}: a number from 0 to 1 is needed")
        if self.questions is not None and self.kind != "budget_usd":
            raise GoalError(f"--questions goes with --budget-usd, not with {option}")
        if self.questions is not None and self.questions < 1:
            raise GoalError(f"--questions {self.questions}: at least 1 is needed")
        if self.guarantee is None:
            if self.per_task:
                raise GoalError("--per-task goes with --guarantee")
            return
        if not 0 < self.guarantee < 1:
            raise GoalError(
                f"--guarantee {self.guarantee:g}: a probability between 0 and 1, such as 0.95, "
                "is needed"
            )
        if self.measure not in ("ratio", "kept_accuracy"):
            raise GoalError(
                f"{option} has no guarantee: only --ratio, --accuracy and --kept-accuracy have"
            )

    @property
    def measure(self) -> GoalKind:
        """The quantity that is measured: with a guarantee, an accuracy is that of kept answers."""
        promised = self.guarantee is not None and self.kind == "accuracy"
        return "kept_accuracy" if promised else self.kind

    @property
    def needs_llm(self) -> bool:
        """Whether the goal can be judged only with the answers of an LLM."""
        return self.measure in ("accuracy", "budget_usd", "cpt")

    @property
    def words(self) -> str:
        """The goal in words.

        >>> Goal("ratio", 0.3, guarantee=0.95).words
        'at most 0.3 of the questions routed, with probability 0.95'
        """
        words = _WORDS[self.measure].format(value=self.value)
        if self.questions is not None:
            words += f" over {self.questions} questions"
        if self.guarantee is None:
            return words
        words = f"{words}, with probability {self.guarantee:g}"
        return f"{words} on every task" if self.per_task else words
