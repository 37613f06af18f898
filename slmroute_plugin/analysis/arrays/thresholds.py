"""Thresholds for a goal, and the effects of a threshold, for arrays and data frames."""

from __future__ import annotations

import re
from typing import Any

from slmroute_plugin.analysis.arrays.values import (
    Values,
    check_lengths,
    confidences_of,
    dollars_of,
    verdicts_of,
)
from slmroute_plugin.analysis.calibration.goals import Goal, GoalError, GoalKind
from slmroute_plugin.analysis.calibration.thresholds import (
    Answers,
    Calibrated,
    Figures,
    calibrate,
    figures_at,
)


def find_threshold(
    confidence: Values,
    slm: Values,
    *,
    ratio: float | None = None,
    kept_accuracy: float | None = None,
    accuracy: float | None = None,
    cpt: float | None = None,
    budget_usd: float | None = None,
    llm: Values | None = None,
    cost_usd: Values | None = None,
    guarantee: float | None = None,
    data: Any = None,
    seed: int = 0,
) -> Calibrated:
    """Return the threshold that reaches a goal; answers with less confidence are routed.

    Exactly one of the five goals is given.

    Parameters
    ----------
    confidence : array-like or str
        The small model's confidences, in [0, 1]; or their column in `data`. Answers without a
        confidence (None, NaN) are routed.
    slm : array-like or str
        Whether the small model's answers are right: 1 or 0, True or False.
    ratio : float, optional
        At most this share of the answers is routed.
    kept_accuracy : float, optional
        The answers that are kept have at least this accuracy.
    accuracy : float, optional
        All answers have at least this accuracy after routing; needs `llm`.
    cpt : float, optional
        At least this share of the way from the small model's accuracy to the stronger model's;
        needs `llm`.
    budget_usd : float, optional
        The routed answers cost at most so many dollars; needs `llm` and `cost_usd`.
    llm : array-like or str, optional
        Whether the stronger model's answers are right.
    cost_usd : array-like or str, optional
        The dollars of the stronger model's answers.
    guarantee : float, optional
        The probability with which `ratio` or `kept_accuracy` holds on new answers of the same
        kind; see `docs/calibration.md`.
    data : DataFrame or mapping, optional
        What holds the columns that are given by name.
    seed : int
        The seed of the split behind a guarantee for kept answers.

    Returns
    -------
    Calibrated
        A named tuple: `threshold`, None if the goal cannot be reached; `best`, the best value
        that can be; `figures`, the effects of the threshold on these answers.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the goal cannot be judged on these answers.

    Examples
    --------
    >>> confidence, slm, llm = [0.9, 0.8, 0.3, 0.2], [1, 1, 0, 0], [1, 1, 1, 0]
    >>> chosen = find_threshold(confidence, slm, kept_accuracy=1.0)
    >>> round(chosen.threshold, 2), chosen.figures.ratio.value
    (0.55, 0.5)
    >>> round(find_threshold(confidence, slm, llm=llm, accuracy=0.75).threshold, 2)
    0.55
    """
    given: dict[GoalKind, float | None] = {
        "ratio": ratio,
        "accuracy": accuracy,
        "kept_accuracy": kept_accuracy,
        "budget_usd": budget_usd,
        "cpt": cpt,
    }
    goals = {kind: value for kind, value in given.items() if value is not None}
    if len(goals) != 1:
        raise ValueError(f"one of {', '.join(given)} is needed, not {len(goals)} of them")
    ((kind, value),) = goals.items()
    answers = _answers(confidence, slm, llm, cost_usd, data)
    try:
        return calibrate(answers, Goal(kind, value, guarantee), seed)
    except GoalError as error:
        # The messages name the options of the command.
        named = re.sub(r"--([a-z-]+)", lambda option: option[1].replace("-", "_"), str(error))
        raise ValueError(named) from None


def apply_threshold(
    threshold: float,
    confidence: Values,
    slm: Values,
    *,
    llm: Values | None = None,
    cost_usd: Values | None = None,
    data: Any = None,
) -> Figures:
    """Return the effects of a threshold: what is routed, and how accurate the answers are.

    Parameters
    ----------
    threshold : float
        The threshold; an answer is kept if its confidence is not below it.
    confidence, slm, llm, cost_usd, data
        As for `find_threshold`.

    Returns
    -------
    Figures
        A named tuple: the share routed (`ratio`), `kept_accuracy` and `accuracy`, each with its
        exact interval of 95%, and `cost_usd`. `accuracy` and `cost_usd` are None without `llm`
        and `cost_usd`.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> figures = apply_threshold(0.5, [0.9, 0.8, 0.3, None], [1, 0, 0, 0], llm=[1, 1, 1, 1])
    >>> figures.ratio.value, figures.kept_accuracy.value, figures.accuracy.value
    (0.5, 0.5, 0.75)
    """
    return figures_at(threshold, _answers(confidence, slm, llm, cost_usd, data))


def _answers(
    confidence: Values, slm: Values, llm: Values | None, cost_usd: Values | None, data: Any
) -> Answers:
    sure = confidences_of(confidence, "confidence", data)
    weak = verdicts_of(slm, "slm", data)
    strong = None if llm is None else verdicts_of(llm, "llm", data)
    cost = dollars_of(cost_usd, data)
    check_lengths({"confidence": sure, "slm": weak, "llm": strong, "cost_usd": cost})
    return Answers(sure, weak, strong, cost)
