"""The aggregations of sample columns for lm-eval's table of results, with their coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

UNDEFINED = "undefined"
UNKNOWN = "unknown"


class Covered(float):
    """A figure that is printed with the share of the answers that it was taken over.

    To JSON and arithmetic it is a plain float. A figure over all answers is printed like a float.

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
    """Return the area under the ROC curve of confidence against correctness; ties count one half.

    Args:
        items: The pairs of confidence (None if there is none) and correctness in {0, 1} (None if
            there is no answer). Pairs with None are left out, and lower the coverage.

    Returns:
        The area in [0, 1], or "undefined" if the other pairs hold one class only.

    >>> auroc([[0.9, 1], [0.4, 0], [0.4, 1], [None, 0]])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    known = [pair for pair in items if None not in pair]
    if len({correct for _, correct in known}) < 2:
        return UNDEFINED
    confidences, corrects = zip(*known, strict=True)
    return Covered(float(roc_auc_score(corrects, confidences)), len(known) / len(items))


def mean_of_known(items: Sequence[float | None]) -> Covered | str:
    """Return the mean of the known values; "undefined" if none is known.

    >>> mean_of_known([0.5, 1.0, None, None])
    0.75
    """
    known = [value for value in items if value is not None]
    if not known:
        return UNDEFINED
    return Covered(sum(known) / len(known), len(known) / len(items))


def share_extracted(items: Sequence[str | None]) -> float:
    """Return the share of the replies in which a final answer was found, in [0, 1].

    >>> share_extracted(["B", None])
    0.5
    """
    return sum(item is not None for item in items) / len(items)


def share_without_confidence(items: Sequence[Mapping[str, str]]) -> float:
    """Return the share of the answers, in [0, 1], for which a method has no confidence.

    >>> share_without_confidence([{}, {"p_true": "…"}])
    0.5
    """
    return sum(bool(item) for item in items) / len(items)


def distinct(items: Sequence[str | None]) -> str:
    """Join the distinct values in alphabetical order; return "none" without any value.

    >>> distinct(["rule", "judge", "rule"])
    'judge, rule'
    """
    return ", ".join(sorted({item for item in items if item is not None})) or "none"


def number_of_errors(items: Sequence[str | None]) -> int:
    """Return the number of answers that failed.

    >>> number_of_errors([None, "HTTP 500"])
    1
    """
    return sum(item is not None for item in items)


def total_usd(items: Sequence[float | None]) -> Covered | str:
    """Return the dollars of all answers whose price is known; "unknown" if no price is known.

    What was not sent costs nothing, which says nothing of the price.

    >>> total_usd([0.25, 0.5, 0.0])
    0.75
    >>> total_usd([None, 0.0])
    'unknown'
    """
    known = [item for item in items if item is not None]
    if not items or (len(known) < len(items) and not sum(known)):
        return UNKNOWN
    return Covered(sum(known), len(known) / len(items))


class TokenTotal(float):
    """A number of tokens that went through a model, printed as those read and those generated.

    To JSON and arithmetic it is a plain float, the sum of both.

    >>> f"{TokenTotal(1200, 34):.4f}"
    '1200 read, 34 generated'
    """

    read: int
    generated: int

    def __new__(cls, read: int, generated: int) -> TokenTotal:
        total = super().__new__(cls, read + generated)
        total.read, total.generated = read, generated
        return total

    def __format__(self, spec: str) -> str:
        return f"{self.read} read, {self.generated} generated"


def total_tokens(items: Sequence[Mapping[str, Any]]) -> TokenTotal:
    """Sum up the tokens of all answers; for a method, those that it takes alone.

    >>> total_tokens([{"read": 5, "cached": 0, "generated": 2}, {"read": 4, "generated": 1}]).read
    9
    """
    counts = [item.get("alone", item) for item in items]
    read = sum(count["read"] for count in counts)
    return TokenTotal(read, sum(count["generated"] for count in counts))


def total_seconds(items: Sequence[Mapping[str, Mapping[str, float]]]) -> float:
    """Sum up the seconds of all answers and of the signals that were taken for them.

    >>> total_seconds([{"signals": {"answer": 0.5, "samples": 1.0}, "methods": {}}])
    1.5
    """
    return float(sum(sum(item["signals"].values()) for item in items))


def aggregation_for(column: str) -> Callable[[Any], Any]:
    """Return the aggregation, for lm-eval's table, of a sample column that `RoutedTask` writes."""
    from slmroute_plugin.harness import mean

    by_name: dict[str, Callable[[Any], Any]] = {
        "answer": share_extracted,
        "scored_by": distinct,
        "no_confidence": share_without_confidence,
        "llm": distinct,
        "llm_error": number_of_errors,
        "judge_error": number_of_errors,
        "cost_usd": total_usd,
        "seconds": total_seconds,
    }
    by_prefix: dict[str, Callable[[Any], Any]] = {
        "answer": share_extracted,
        "auroc": auroc,
        "fitted_on": distinct,
        "combines": distinct,
        "confidence": mean_of_known,
        "work": total_tokens,
        "method_work": total_tokens,
        "method_cost_usd": total_usd,
    }
    # lm-eval knows the standard error of its own `mean` by identity.
    return by_name.get(column) or by_prefix.get(column.partition("/")[0]) or mean


def higher_is_better(columns: Iterable[str]) -> dict[str, bool]:
    """Return which sample columns that we write are better if they are higher; others are left out.

    >>> higher_is_better(["acc", "scored_by", "auroc/p_true"])
    {'acc': True, 'auroc/p_true': True}
    """
    better = ("acc", "auroc", "answer")
    return {column: True for column in columns if column.partition("/")[0] in better}
