"""The caveats to a line or a cell: its coverage, and the rows that a probe was fitted on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from slmroute_plugin.analysis.tables.setting_tables import Unparsed

LEAST_COVERAGE = 0.5
"""The least share of the questions that a line is over, to stand beside lines over all of them.

Over fewer than half of the questions, a line says more of which questions they are than of the
method. Such a line goes into the legend with its coverage, and a cell of a heat map has no colour.
"""

CROSS_FITTED = "cross-fitted"
DAGGER = "†"
DAGGER_NOTE = (
    f"{DAGGER} cross-fitted: the probe was trained on labels of the evaluation split (each row is "
    "scored by a probe that never saw it), which a router has not got."
)


def coverage_text(coverage: float) -> str:
    """Print the share of questions with a confidence; "" if all have one, or if it is not known.

    A share below 1 never reads as 100%, and a share above 0 never as 0%.

    >>> coverage_text(0.686), coverage_text(0.9999), coverage_text(0.001), coverage_text(1.0)
    ('69%', '99%', '<1%', '')
    """
    if not coverage < 1:
        return ""
    if 0 < coverage < 0.01:
        return "<1%"
    return f"{min(99, round(100 * coverage))}%"


def coverage_range(coverages: pd.Series) -> str:
    """Print the least to the greatest of several coverages; "" if none is below 1.

    >>> coverage_range(pd.Series([0.62, 1.0])), coverage_range(pd.Series([0.5, 0.5]))
    ('62–100%', '50%')
    """
    known = coverages.dropna()
    if known.empty or not (known < 1).any():
        return ""
    least, most = coverage_text(float(known.min())), coverage_text(float(known.max())) or "100%"
    return least if least == most else f"{least.rstrip('%')}–{most}"


def is_cross_fitted(fitted_on: object) -> bool:
    """Tell whether a cell of the column `fitted_on` names a cross-fitted probe."""
    return isinstance(fitted_on, str) and fitted_on.startswith(CROSS_FITTED)


def labels(frame: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, str]:
    """Label the methods of a frame for the key of a figure.

    Args:
        frame: rows with `method`, `coverage` and `fitted_on`.
        methods: the shown name of each method.

    Returns:
        By method: the shown name, "†" if any of its rows is cross-fitted, and the coverage if that
        is below 1; in the order of `methods`.
    """
    described = {}
    for method, rows in frame.groupby("method", observed=True):
        name = methods[str(method)]
        mark = DAGGER if rows["fitted_on"].map(is_cross_fitted).any() else ""
        covered = coverage_range(rows["coverage"])
        described[str(method)] = f"{name}{mark}" + (f" (on {covered})" if covered else "")
    return {method: described[method] for method in methods if method in described}


def notes(frame: pd.DataFrame, unparsed: Unparsed = "leave-out") -> list[str]:
    """Write the notes that rows call for: on coverage below 1, and on cross-fitted probes.

    Args:
        frame: rows with `coverage` and `fitted_on`.
        unparsed: what the rows did with questions without a confidence.
    """
    texts = []
    if (frame["coverage"] < 1).any():
        others = (
            "only these count for it"
            if unparsed == "leave-out"
            else "the others are the first to be routed"
        )
        texts.append(
            f"(on …%): share of the questions for which the method gave a confidence; {others}."
        )
    if frame["fitted_on"].map(is_cross_fitted).any():
        texts.append(DAGGER_NOTE)
    return texts
