"""What a reader must know of a line or a cell: coverage, and what a probe was fitted on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

CROSS_FITTED = "cross-fitted"
DAGGER = "†"
DAGGER_NOTE = (
    f"{DAGGER} cross-fitted: the probe was trained on labels of the evaluation split (each row is "
    "scored by a probe that never saw it), which a router has not got."
)


def coverage_text(coverage: float) -> str:
    """The share of questions with a confidence; "" if it is all of them or not known.

    What is not all never reads as all, and what is not nothing never as nothing.

    >>> coverage_text(0.686), coverage_text(0.9999), coverage_text(0.001), coverage_text(1.0)
    ('69%', '99%', '<1%', '')
    """
    if not coverage < 1:
        return ""
    if 0 < coverage < 0.01:
        return "<1%"
    return f"{min(99, round(100 * coverage))}%"


def coverage_range(coverages: pd.Series) -> str:
    """The least to the greatest coverage; "" if all are whole.

    >>> coverage_range(pd.Series([0.62, 1.0])), coverage_range(pd.Series([0.5, 0.5]))
    ('62–100%', '50%')
    """
    known = coverages.dropna()
    if known.empty or not (known < 1).any():
        return ""
    least, most = coverage_text(float(known.min())), coverage_text(float(known.max())) or "100%"
    return least if least == most else f"{least.rstrip('%')}–{most}"


def is_cross_fitted(fitted_on: object) -> bool:
    """Whether a cell of the column `fitted_on` says so."""
    return isinstance(fitted_on, str) and fitted_on == CROSS_FITTED


def labels(frame: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, str]:
    """What the key says of each method that the frame has rows of.

    Args:
        frame: rows with `method`, `coverage` and `fitted_on`.
        methods: shown name of each method.

    Returns:
        The shown name, "†" if any row of it is cross-fitted, and the coverage if it is not whole.
    """
    described = {}
    for method, rows in frame.groupby("method", observed=True):
        name = methods[str(method)]
        mark = DAGGER if rows["fitted_on"].map(is_cross_fitted).any() else ""
        covered = coverage_range(rows["coverage"])
        described[str(method)] = f"{name}{mark}" + (f" (on {covered})" if covered else "")
    return described


def notes(frame: pd.DataFrame) -> list[str]:
    """Notes that the frame's rows call for: on coverage, and on cross-fitted probes."""
    found = []
    if (frame["coverage"] < 1).any():
        found.append(
            "(on …%): share of the questions for which the method gave a confidence; only these "
            "count for it."
        )
    if frame["fitted_on"].map(is_cross_fitted).any():
        found.append(DAGGER_NOTE)
    return found
