"""The threshold that reaches a goal on answered questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.goals import Goal, GoalError, option_of
from slmroute_plugin.analysis.calibration.guarantees import (
    Guaranteed,
    kept_accuracy_at_least,
    ratio_at_most,
)
from slmroute_plugin.analysis.calibration.per_task import kept_accuracy_in_each, ratio_in_each
from slmroute_plugin.analysis.measures.threshold_cuts import Cuts, cuts, last_within

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of the SLM, and perhaps of an LLM, to the same n questions, one answer to each.

    Attributes:
        confidence: [n]; NaN where an answer has no confidence, so that it is routed.
        slm: [n], bool: whether the SLM's answer, which is what a live run keeps, is right.
        llm: [n], bool: whether the LLM's answer is right; None without an LLM.
        cost_usd: [n]: the dollars of the LLM's answers, NaN where they are not known; None
            without an LLM.
        before_routing_usd: the dollars that the SLM's answers and the method take for all n
            questions where none is routed; None where they are not known.
        spared_usd: [n]: the dollars of the SLM's answers, if the method decides before there are
            any, so that routed questions take none; None if it does not.
        tasks: the rows of each task; empty if they are not told apart.
    """

    confidence: NDArray[np.float64]
    slm: NDArray[np.bool_]
    llm: NDArray[np.bool_] | None = None
    cost_usd: NDArray[np.float64] | None = None
    before_routing_usd: float | None = None
    spared_usd: NDArray[np.float64] | None = None
    tasks: Sequence[NDArray[np.intp]] = ()


class Share(NamedTuple):
    """A share of answers, with its exact (Clopper–Pearson) 95% interval; NaN without answers."""

    value: float
    low: float
    high: float


class Figures(NamedTuple):
    """The effects of a threshold on answers.

    Attributes:
        ratio: the share that is routed.
        kept_accuracy: the accuracy of the SLM's answers that are kept.
        accuracy: the overall accuracy after routing; None without an LLM.
        cost_usd: the dollars of the LLM for the questions of the goal; None where no price is
            known.
        total_usd: the same with those of the SLM and the method; None where they are not known.
    """

    ratio: Share
    kept_accuracy: Share
    accuracy: Share | None
    cost_usd: float | None
    total_usd: float | None = None


class Calibrated(NamedTuple):
    """A threshold for a goal.

    Attributes:
        threshold: the threshold; None if the goal is not attainable.
        best: the best attainable value of the quantity that the goal is about.
        figures: the effects of the threshold on the answers that it was chosen on; None without
            a threshold.
        tested_on: the number of rows behind a guarantee; without a guarantee, of all rows.
    """

    threshold: float | None
    best: float
    figures: Figures | None
    tested_on: int


def calibrate(answers: Answers, goal: Goal, seed: int = 0) -> Calibrated:
    """Choose the threshold for a goal.

    Answers of one confidence cannot be parted, so the realised value can be better than the goal's.

    Args:
        answers: the answers to choose the threshold on.
        goal: the goal to reach.
        seed: the seed of the split behind a guarantee for kept answers.

    Raises:
        GoalError: the goal needs what these answers lack.
    """
    if not len(answers.confidence):
        raise GoalError("there are no answers to calibrate on")
    if goal.needs_llm and answers.llm is None:
        raise GoalError(f"{option_of(goal.kind)} needs the answers of an LLM: name it with --llm")
    if goal.guarantee is None:
        every_cut, tested_on = cuts(answers.confidence), len(answers.confidence)
        at, best = _on_these(every_cut, answers, goal)
        threshold = float(every_cut.thresholds[at]) if at is not None else None
    elif goal.per_task and answers.tasks:
        threshold, best, tested_on = _in_each(answers, goal, goal.guarantee, seed)
    elif goal.measure == "ratio":
        threshold, best, tested_on = ratio_at_most(answers.confidence, goal.value, goal.guarantee)
    else:
        threshold, best, tested_on = kept_accuracy_at_least(
            answers.confidence, answers.slm, goal.value, goal.guarantee, seed
        )
    figures = None if threshold is None else figures_at(threshold, answers, goal.questions)
    return Calibrated(threshold, best, figures, tested_on)


def _in_each(answers: Answers, goal: Goal, guarantee: float, seed: int) -> Guaranteed:
    """Choose a threshold whose promise holds on every task."""
    if goal.measure == "ratio":
        return ratio_in_each(answers.confidence, answers.tasks, goal.value, guarantee)
    return kept_accuracy_in_each(
        answers.confidence, answers.slm, answers.tasks, goal.value, guarantee, seed
    )


def figures_at(threshold: float, answers: Answers, questions: int | None = None) -> Figures:
    """Compute the effects of a threshold on answers.

    Args:
        threshold: the threshold; an answer is kept if its confidence is not below it.
        answers: the answers.
        questions: the number of questions to give dollars for; None for as many as there are.
    """
    kept = answers.confidence >= threshold  # an answer without a confidence (NaN) is not kept
    accuracy = cost = total = None
    if answers.llm is not None:
        accuracy = _share(np.where(kept, answers.slm, answers.llm))
    costs = _costs(answers)
    if costs is not None:
        cost = float(costs[~kept].sum()) * _scale(answers, questions)
        if answers.before_routing_usd is not None:
            slm = answers.before_routing_usd - float(_spared(answers)[~kept].sum())
            total = cost + slm * _scale(answers, questions)
    return Figures(_share(~kept), _share(answers.slm[kept]), accuracy, cost, total)


class _Reached(NamedTuple):
    """A cut that reaches a goal.

    Attributes:
        at: the index of the cut; None if no cut reaches the goal.
        best: the best attainable value; NaN if there is none.
    """

    at: int | None
    best: float


def _on_these(every_cut: Cuts, answers: Answers, goal: Goal) -> _Reached:
    """Find the cut that reaches a goal on the answers themselves, without a guarantee.

    Raises:
        GoalError: the answers do not allow to judge the goal.
    """
    n = len(answers.confidence)
    if goal.measure == "ratio":
        return _limit(every_cut.routed / n, goal.value)
    right_kept = answers.slm.sum() - every_cut.sums(answers.slm)
    if goal.measure == "kept_accuracy":
        kept = n - every_cut.routed
        accuracy = np.where(kept > 0, right_kept / np.maximum(kept, 1), np.nan)
        return _floor(accuracy, goal.value)
    if goal.measure == "budget_usd":
        costs = _costs(answers)
        if costs is None:
            raise GoalError(
                "what the LLM's answers cost is not known, so that no budget can be kept"
            )
        paid = every_cut.sums(costs - _spared(answers)) + (answers.before_routing_usd or 0.0)
        # An answer of the SLM that costs more than the LLM's makes routing cheaper; the largest
        # threshold within the budget is sought among those that cost more and more.
        paid = np.maximum.accumulate(paid)
        return _limit(paid * _scale(answers, goal.questions), goal.value)
    llm = np.asarray(answers.llm)
    overall = (right_kept + every_cut.sums(llm)) / n
    if goal.measure == "accuracy":
        return _floor(overall, goal.value)
    gap = float(llm.mean() - answers.slm.mean())
    if gap <= 0:
        raise GoalError(
            f"--cpt is undefined: on these questions the LLM ({llm.mean():.4f} right) is no "
            f"better than the SLM ({answers.slm.mean():.4f})"
        )
    return _floor((overall - answers.slm.mean()) / gap, goal.value)


def _limit(values: NDArray[np.float64], most: float) -> _Reached:
    """Find the last of ascending values, one for each cut, that is not above `most`."""
    at = last_within(values, most)
    return _Reached(at if at >= 0 else None, float(values[0]))


def _floor(values: NDArray[np.float64], least: float) -> _Reached:
    """Find the first of the values, one for each cut, that is not below `least`."""
    if np.isnan(values).all():
        return _Reached(None, np.nan)
    reached = np.flatnonzero(values >= least - _ROUNDING)
    return _Reached(int(reached[0]) if reached.size else None, float(np.nanmax(values)))


def _costs(answers: Answers) -> NDArray[np.float64] | None:
    """List the dollars of each answer [n]; an unknown price is taken as the mean of the others."""
    if answers.cost_usd is None or np.isnan(answers.cost_usd).all():
        return None
    return np.where(np.isnan(answers.cost_usd), np.nanmean(answers.cost_usd), answers.cost_usd)


def _spared(answers: Answers) -> NDArray[np.float64]:
    """List what routing each question spares [n]; nothing where dollars of the SLM do not count."""
    if answers.spared_usd is None or answers.before_routing_usd is None:
        return np.zeros(len(answers.confidence))
    return answers.spared_usd


def _scale(answers: Answers, questions: int | None) -> float:
    """Compute the number of questions that each of the answers stands for."""
    return 1.0 if questions is None else questions / len(answers.confidence)


def _share(right: NDArray[np.bool_]) -> Share:
    """Compute the share of right answers, with its exact 95% interval."""
    from scipy.stats import binomtest

    if not right.size:
        return Share(np.nan, np.nan, np.nan)
    interval = binomtest(int(right.sum()), right.size).proportion_ci(0.95, "exact")
    return Share(float(right.mean()), float(interval.low), float(interval.high))
