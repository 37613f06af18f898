"""Routing curves, and accuracy over the share of answers that is kept, for arrays and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slmroute_plugin.analysis.arrays.values import (
    Values,
    assessed_of,
    check_lengths,
    confidences_of,
    dollars_of,
    verdicts_of,
)
from slmroute_plugin.analysis.measures.curve_summary import Summary, summary
from slmroute_plugin.analysis.measures.routing_curves import Curve, ranking
from slmroute_plugin.analysis.measures.routing_curves import routing_curve as measured_curve

if TYPE_CHECKING:
    import pandas as pd


def routing_curve(
    confidence: Values,
    slm: Values,
    llm: Values,
    *,
    cost_usd: Values | None = None,
    data: Any = None,
) -> pd.DataFrame:
    """Return overall accuracy as the least confident answers go to a stronger model.

    Parameters
    ----------
    confidence : array-like or str
        The small model's confidences, in [0, 1]; or their column in `data`. Answers without a
        confidence (None, NaN) go first, as a live router has it.
    slm : array-like or str
        Whether the small model's answers are right: 1 or 0, True or False.
    llm : array-like or str
        Whether the stronger model's answers to the same questions are right.
    cost_usd : array-like or str, optional
        The dollars of the stronger model's answers.
    data : DataFrame or mapping, optional
        What holds the columns that are given by name.

    Returns
    -------
    DataFrame
        A row for each corner of the curve, which is straight between them: the share routed
        (`ratio`, from 0 to 1), the expected `accuracy` (ties are routed in an order by lot), the
        `threshold` below which answers are routed (the last is infinite: all are), and
        `cost_usd` if it was given.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> routing_curve([0.2, 0.7], slm=[0, 1], llm=[1, 1])
       ratio  accuracy  threshold
    0    0.0       0.5        0.2
    1    0.5       1.0        0.7
    2    1.0       1.0        inf
    """
    import pandas as pd

    curve = _curve(confidence, slm, llm, cost_usd, data)
    columns = {"ratio": curve.ratio, "accuracy": curve.accuracy, "threshold": curve.threshold}
    if cost_usd is not None:
        columns["cost_usd"] = curve.cost_usd
    return pd.DataFrame(columns)


def routing_summary(
    confidence: Values,
    slm: Values,
    llm: Values,
    *,
    cost_usd: Values | None = None,
    data: Any = None,
) -> Summary:
    """Return the numbers that sum up a routing curve: area, APGR, CPT, AIQ and others.

    Parameters
    ----------
    confidence, slm, llm, cost_usd, data
        As for `routing_curve`.

    Returns
    -------
    Summary
        A named tuple; what is undefined is NaN. `docs/analysis.md` defines the numbers.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> summed_up = routing_summary([0.2, 0.7], slm=[0, 1], llm=[1, 1])
    >>> summed_up.area, summed_up.apgr, summed_up.cpt_80
    (0.875, 0.75, 0.4)
    """
    return summary(_curve(confidence, slm, llm, cost_usd, data))


def kept_accuracy_curve(confidence: Values, correct: Values, *, data: Any = None) -> pd.DataFrame:
    """Return the accuracy of the answers that are kept, if the surest share of them is.

    Parameters
    ----------
    confidence, correct, data
        As for `auroc`. Answers without a confidence are kept last.

    Returns
    -------
    DataFrame
        A row for each different confidence, surest first: the share of answers that have it or
        more (`kept`), their `accuracy`, and the confidence itself (`threshold`; 0 for answers
        without a confidence).

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> kept_accuracy_curve([0.9, 0.4, 0.4, None], [True, False, True, False])
       kept  accuracy  threshold
    0  0.25  1.000000        0.9
    1  0.75  0.666667        0.4
    2  1.00  0.500000        0.0
    """
    import pandas as pd

    sure, right = assessed_of(confidence, correct, data)
    ranked = ranking(sure)
    before = np.concatenate(([0], ranked.end[:-1]))
    kept = len(right) - before
    right_kept = right.sum() - ranked.running(right)[:-1]
    columns = {
        "kept": kept / len(right),
        "accuracy": right_kept / kept,
        "threshold": np.maximum(ranked.value, 0.0),
    }
    return pd.DataFrame({name: values[::-1] for name, values in columns.items()})


def _curve(
    confidence: Values, slm: Values, llm: Values, cost_usd: Values | None, data: Any
) -> Curve:
    sure = confidences_of(confidence, "confidence", data)
    weak, strong = verdicts_of(slm, "slm", data), verdicts_of(llm, "llm", data)
    cost = dollars_of(cost_usd, data)
    check_lengths({"confidence": sure, "slm": weak, "llm": strong, "cost_usd": cost})
    paid = np.full(len(sure), np.nan) if cost is None else cost
    return measured_curve(ranking(sure), weak, strong, paid)
