"""The threshold that reaches a goal on answered questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.guarantees import kept_accuracy_at_least, ratio_at_most
from slmroute_plugin.analysis.measures.threshold_cuts import Cuts, cuts, last_within

GoalKind = Literal["ratio", "accuracy", "kept_accuracy", "budget_usd", "cpt"]

_WORDS = {
    "ratio": "at most {value:g} of the questions routed",
    "accuracy": "overall accuracy of {value:g} after routing",
    "kept_accuracy": "accuracy of {value:g} among the answers that are kept",
    "budget_usd": "at most ${value:g} for the LLM",
    "cpt": "{value:g} of the way from the SLM's accuracy to the LLM's",
}
_OPTIONS = {kind: f"--{kind.replace('_', '-')}" for kind in _WORDS}
_ROUNDING = 1e-9


class GoalError(ValueError):
    """A goal that makes no sense, or cannot be judged on these answers."""


@dataclass(frozen=True)
class Goal:
    """What a threshold is to reach.

    Attributes:
        kind: "ratio" and "budget_usd" are limits, and the largest threshold within them is
            sought; "accuracy" (overall, after routing), "kept_accuracy" (of the answers that
            are kept) and "cpt" (the share of the way from the SLM's accuracy to the LLM's) are
            floors, and the smallest threshold that reaches them is.
        value: dollars, at least 0, for a budget; in [0, 1] for the others.
        guarantee: the probability in (0, 1) with which a ratio or the accuracy of kept answers
            has to hold on new data; None if it need only hold on the answers at hand. An
            `accuracy` with a guarantee is that of kept answers.
        questions: number of questions that a budget is for; None for as many as were answered.

    Raises:
        GoalError: a value out of range, or a guarantee for what has none.
    """

    kind: GoalKind
    value: float
    guarantee: float | None = None
    questions: int | None = None

    def __post_init__(self) -> None:
        option = _OPTIONS[self.kind]
        if self.kind == "budget_usd":
            if not 0 <= self.value < np.inf:
                raise GoalError(f"{option} {self.value:g}: dollars, at least 0, are needed")
        elif not 0 <= self.value <= 1:
            raise GoalError(f"{option} {self.value:g}: a number from 0 to 1 is needed")
        if self.questions is not None and self.kind != "budget_usd":
            raise GoalError(f"--questions goes with --budget-usd, not with {option}")
        if self.questions is not None and self.questions < 1:
            raise GoalError(f"--questions {self.questions}: at least 1 is needed")
        if self.guarantee is None:
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
        """What is measured: with a guarantee, an accuracy is that of kept answers."""
        promised = self.guarantee is not None and self.kind == "accuracy"
        return "kept_accuracy" if promised else self.kind

    @property
    def needs_llm(self) -> bool:
        """Whether it cannot be judged without an LLM's answers."""
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
        return words if self.guarantee is None else f"{words}, with probability {self.guarantee:g}"


@dataclass(frozen=True, eq=False)
class Answers:
    """Questions that the SLM, and perhaps the LLM, answered; each counts once.

    Attributes:
        confidence: [n], NaN where there is none: these are routed.
        slm: [n], bool: whether the SLM's answer, which is what a live run keeps, is right.
        llm: [n], bool; None without an LLM.
        cost_usd: [n]: dollars of the LLM's answers, NaN where not known; None without an LLM.
    """

    confidence: NDArray[np.float64]
    slm: NDArray[np.bool_]
    llm: NDArray[np.bool_] | None = None
    cost_usd: NDArray[np.float64] | None = None


class Share(NamedTuple):
    """A share of answers, with its exact (Clopper–Pearson) 95% interval; NaN of none."""

    value: float
    low: float
    high: float


class Figures(NamedTuple):
    """What a threshold does to answers.

    Attributes:
        ratio: share that is routed.
        kept_accuracy: of the SLM's answers that are kept.
        accuracy: overall, after routing; None without an LLM.
        cost_usd: dollars for the questions of the goal; None where no price is known.
    """

    ratio: Share
    kept_accuracy: Share
    accuracy: Share | None
    cost_usd: float | None


class Calibrated(NamedTuple):
    """A threshold for a goal.

    Attributes:
        threshold: None if the goal is not attainable.
        best: the best attainable value of what the goal is about.
        figures: what the threshold does to the answers that it was chosen on; None without one.
        tested_on: number of rows behind a guarantee; all, without one.
    """

    threshold: float | None
    best: float
    figures: Figures | None
    tested_on: int


def calibrate(answers: Answers, goal: Goal, seed: int = 0) -> Calibrated:
    """The threshold for a goal.

    Answers of one confidence cannot be parted, so the realised figure can be better than what was
    asked for.

    Args:
        answers: what it is chosen on.
        goal: what it is to reach.
        seed: of the split behind a guarantee for kept answers.

    Raises:
        GoalError: the goal needs what these answers lack.
    """
    if not len(answers.confidence):
        raise GoalError("there are no answers to calibrate on")
    if goal.needs_llm and answers.llm is None:
        raise GoalError(f"{_OPTIONS[goal.kind]} needs the answers of an LLM: name it with --llm")
    where = cuts(answers.confidence)
    tested_on = len(answers.confidence)
    if goal.guarantee is not None:
        threshold, best, tested_on = (
            ratio_at_most(answers.confidence, goal.value, goal.guarantee)
            if goal.measure == "ratio"
            else kept_accuracy_at_least(
                answers.confidence, answers.slm, goal.value, goal.guarantee, seed
            )
        )
    else:
        at, best = _on_these(where, answers, goal)
        threshold = float(where.thresholds[at]) if at is not None else None
    figures = None if threshold is None else figures_at(threshold, answers, goal.questions)
    return Calibrated(threshold, best, figures, tested_on)


def figures_at(threshold: float, answers: Answers, questions: int | None = None) -> Figures:
    """What a threshold does to answers; dollars for `questions`, or for as many as there are."""
    kept = answers.confidence >= threshold  # not for NaN either
    accuracy = cost = None
    if answers.llm is not None:
        accuracy = _share(np.where(kept, answers.slm, answers.llm))
    costs = _costs(answers)
    if costs is not None:
        cost = float(costs[~kept].sum()) * _scale(answers, questions)
    return Figures(_share(~kept), _share(answers.slm[kept]), accuracy, cost)


def _on_these(where: Cuts, answers: Answers, goal: Goal) -> tuple[int | None, float]:
    """Index of the cut that reaches the goal on the answers themselves; the best value."""
    n = len(answers.confidence)
    if goal.measure == "ratio":
        return _limit(where.routed / n, goal.value)
    right_kept = answers.slm.sum() - where.sums(answers.slm)
    if goal.measure == "kept_accuracy":
        kept = n - where.routed
        accuracy = np.where(kept > 0, right_kept / np.maximum(kept, 1), np.nan)
        return _floor(accuracy, goal.value)
    if goal.measure == "budget_usd":
        costs = _costs(answers)
        if costs is None:
            raise GoalError(
                "what the LLM's answers cost is not known, so that no budget can be kept"
            )
        return _limit(where.sums(costs) * _scale(answers, goal.questions), goal.value)
    llm = np.asarray(answers.llm)
    overall = (right_kept + where.sums(llm)) / n
    if goal.measure == "accuracy":
        return _floor(overall, goal.value)
    gap = float(llm.mean() - answers.slm.mean())
    if gap <= 0:
        raise GoalError(
            f"--cpt is undefined: on these questions the LLM ({llm.mean():.4f} right) is no "
            f"better than the SLM ({answers.slm.mean():.4f})"
        )
    return _floor((overall - answers.slm.mean()) / gap, goal.value)


def _limit(values: NDArray[np.float64], most: float) -> tuple[int | None, float]:
    at = last_within(values, most)
    return (at if at >= 0 else None), float(values[0])


def _floor(values: NDArray[np.float64], least: float) -> tuple[int | None, float]:
    if np.isnan(values).all():
        return None, np.nan
    reached = np.flatnonzero(values >= least - _ROUNDING)
    return (int(reached[0]) if reached.size else None), float(np.nanmax(values))


def _costs(answers: Answers) -> NDArray[np.float64] | None:
    """Dollars of each answer; an unknown one is taken at the mean of the others."""
    if answers.cost_usd is None or np.isnan(answers.cost_usd).all():
        return None
    return np.where(np.isnan(answers.cost_usd), np.nanmean(answers.cost_usd), answers.cost_usd)


def _scale(answers: Answers, questions: int | None) -> float:
    return 1.0 if questions is None else questions / len(answers.confidence)


def _share(those: NDArray[np.bool_]) -> Share:
    from scipy.stats import binomtest

    if not those.size:
        return Share(np.nan, np.nan, np.nan)
    interval = binomtest(int(those.sum()), those.size).proportion_ci(0.95, "exact")
    return Share(float(those.mean()), float(interval.low), float(interval.high))
