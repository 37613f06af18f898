"""How well confidences agree with correctness, for arrays and data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slmroute_plugin.analysis.arrays.values import (
    Values,
    assessed_of,
    confidences_of,
    verdicts_of,
)
from slmroute_plugin.analysis.measures.alignment import alignment, auroc_score
from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Interval,
    Routable,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.storage.column_names import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd


def auroc(confidence: Values, correct: Values, *, data: Any = None) -> float:
    """Return the area under the ROC curve of confidence against correctness.

    It is the probability that a right answer has a higher confidence than a wrong one, where a
    tie counts one half.

    Parameters
    ----------
    confidence : array-like or str
        The confidences, in [0, 1], higher is surer; or their column in `data`. Answers without a
        confidence (None, NaN) are left out.
    correct : array-like or str
        Whether each answer is right: 1 or 0, True or False.
    data : DataFrame or mapping, optional
        What holds the columns that are given by name.

    Returns
    -------
    float
        The area in [0, 1]; NaN if all answers are right, or all are wrong.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> auroc([0.9, 0.4, 0.4, None], [True, False, True, True])
    0.75

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"sure": [0.9, 0.4, 0.4], "acc": [1.0, 0.0, 1.0]})
    >>> auroc("sure", "acc", data=frame)
    0.75
    """
    sure, right = assessed_of(confidence, correct, data)
    known = ~np.isnan(sure)
    return auroc_score(sure[known], right[known])


def auroc_interval(
    confidence: Values,
    correct: Values,
    *,
    data: Any = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the percentile bootstrap interval of 95% of `auroc`.

    Parameters
    ----------
    confidence, correct, data
        As for `auroc`.
    resamples : int
        The number of resamples.
    seed : int
        The seed of the resamples.

    Returns
    -------
    Interval
        The ends `low` and `high`; NaN if the area is undefined in every resample.

    Raises
    ------
    ValueError
        If a value is out of its range, or if the columns differ in length.

    Examples
    --------
    >>> sure = [at / 40 for at in range(40)]
    >>> interval = auroc_interval(sure, [value > 0.5 for value in sure])
    >>> interval.low, interval.high
    (1.0, 1.0)
    """
    sure, right = assessed_of(confidence, correct, data)
    known = ~np.isnan(sure)
    if not known.any():
        return Interval(float("nan"), float("nan"))
    routable = Routable(sure[known], right[known], np.empty((int(known.sum()), 0), dtype=bool))
    counts = resampled_counts(int(known.sum()), resamples, np.random.default_rng(seed))
    return Interval.of(resampled_areas(routable, counts).auroc)


def alignment_table(
    data: pd.DataFrame, correct: str = "acc", confidences: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return every measure of alignment for each column of confidences of a frame.

    Parameters
    ----------
    data : DataFrame
        A row for each answer.
    correct : str
        The column that says whether each answer is right. Where the frame has a column of its
        own for a confidence (``acc/p`` beside ``confidence/p``), as for methods that obtain an
        answer of their own, that column says it.
    confidences : sequence of str, optional
        The columns of confidences; by default those whose names begin with ``confidence/``.

    Returns
    -------
    DataFrame
        A row for each column of confidences, under its name: `auroc`, `auprc`, `prr`, `ece` and
        `brier` over the answers with a confidence, their share `coverage`, and their number `n`.
        What is undefined is NaN. `docs/analysis.md` defines the measures.

    Raises
    ------
    ValueError
        If a column is missing, or if a value is out of its range.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"acc": [1, 0, 1, 0], "confidence/p": [0.9, 0.1, 0.8, None]})
    >>> alignment_table(frame)[["auroc", "coverage", "n"]]
                  auroc  coverage  n
    confidence/p    1.0      0.75  3
    """
    import pandas as pd

    names = confidences
    if names is None:
        names = [str(name) for name in data.columns if str(name).startswith(CONFIDENCE)]
        if not names:
            raise ValueError(f"data has no column {CONFIDENCE}…: name them with `confidences`")
    rows = []
    for name in names:
        sure = confidences_of(name, name, data)
        known = ~np.isnan(sure)
        own = f"{correct}/{name.removeprefix(CONFIDENCE)}"
        # Where there is no confidence, there may be no answer of the method's own either.
        right = verdicts_of(own if own in data else correct, name, data[known])
        measures = alignment(sure[known], right)._asdict()
        rows.append({**measures, "coverage": float(known.mean()), "n": int(known.sum())})
    return pd.DataFrame(rows, index=pd.Index(list(names)))
