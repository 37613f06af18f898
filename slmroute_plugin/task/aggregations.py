"""Aggregations for lm-eval's results table, with the coverage printed beside the figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

UNDEFINED = "undefined"
UNKNOWN = "unknown"


class Covered(float):
    """A figure that says, when printed, over which share of the answers it was taken.

    A plain float to JSON and arithmetic. Where the coverage is whole, it prints as one too.

    >>> f"{Covered(0.75, 0.5):.4f}"
    '0.7500 (on 50.0%)'
    """

    coverage: float

    def __new__(cls, value: float, coverage: float = 1.0) -> Covered:
        figure = super().__new__(cls, value)
        figure.coverage = coverage
        return figure

    def __format__(self, spec: str) -> str:
        figure = float(self).__format__(spec)
        return figure if self.coverage >= 1 else f"{figure} (on {self.coverage:.1%})"


def auroc(items: Sequence[Sequence[float | None]]) -> Covered | str:
    """Area under the ROC curve of confidence against correctness; ties count one half.

    Args:
        items: pairs of confidence, or None where there is none, and correctness in {0, 1}.
            Pairs without a confidence are left out, and show in the coverage.

    Returns:
        The area in [0, 1], or "undefined" if the rest holds one class only.

    >>> auroc([[0.9, 1], [0.4, 0], [0.4, 1], [None, 0]])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    known = [(confidence, correct) for confidence, correct in items if confidence is not None]
    if len({correct for _, correct in known}) < 2:
        return UNDEFINED
    confidences, corrects = zip(*known, strict=True)
    return Covered(float(roc_auc_score(corrects, confidences)), len(known) / len(items))


def mean_confidence(items: Sequence[float | None]) -> Covered | str:
    """Mean of the confidences that are known; "undefined" if none is.

    >>> mean_confidence([0.5, 1.0, None, None])
    0.75
    """
    known = [confidence for confidence in items if confidence is not None]
    if not known:
        return UNDEFINED
    return Covered(sum(known) / len(known), len(known) / len(items))


def share_extracted(items: Sequence[str | None]) -> float:
    """Share of the replies in which a final answer was found.

    >>> share_extracted(["B", None])
    0.5
    """
    return sum(item is not None for item in items) / len(items)


def share_without_confidence(items: Sequence[Mapping[str, str]]) -> float:
    """Share of the answers for which at least one method has no confidence.

    >>> share_without_confidence([{}, {"p_true": "…"}])
    0.5
    """
    return sum(bool(item) for item in items) / len(items)


def distinct(items: Sequence[str | None]) -> str:
    """The different values, joined; "none" if there are none.

    >>> distinct(["rule", "judge", "rule"])
    'judge, rule'
    """
    return ", ".join(sorted({item for item in items if item is not None})) or "none"


def number_of_errors(items: Sequence[str | None]) -> int:
    """How many answers could not be had.

    >>> number_of_errors([None, "HTTP 500"])
    1
    """
    return sum(item is not None for item in items)


def total_usd(items: Sequence[float | None]) -> Covered | str:
    """Dollars in all, over the answers whose price is known; "unknown" if none is.

    >>> total_usd([0.25, 0.5, 0.0])
    0.75
    >>> total_usd([None])
    'unknown'
    """
    known = [item for item in items if item is not None]
    return Covered(sum(known), len(known) / len(items)) if known else UNKNOWN


def aggregation_for(column: str) -> Callable[[Any], Any]:
    """How lm-eval's table sums up a sample column that `RoutedTask` writes."""
    from lm_eval.api.metrics import mean

    by_name: dict[str, Callable[[Any], Any]] = {
        "answer": share_extracted,
        "scored_by": distinct,
        "no_confidence": share_without_confidence,
        "llm": distinct,
        "llm_error": number_of_errors,
        "judge_error": number_of_errors,
        "cost_usd": total_usd,
    }
    by_prefix: dict[str, Callable[[Any], Any]] = {
        "answer": share_extracted,
        "auroc": auroc,
        "fitted_on": distinct,
        "confidence": mean_confidence,
    }
    # lm-eval knows the standard error of its own `mean` by identity.
    return by_name.get(column) or by_prefix.get(column.partition("/")[0]) or mean
