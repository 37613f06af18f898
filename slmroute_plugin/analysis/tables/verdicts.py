"""The table `combined` in sentences, for readers of a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from slmroute_plugin.analysis.measures.best_single import BETTER, NOT_TESTED, WORSE

_SAYS = {
    BETTER: "beats the best single method, {best}, significantly",
    WORSE: "is significantly worse than the best single method, {best}",
    NOT_TESTED: "was not tested against the best single method, {best}, for want of resamples",
}
_OTHERWISE = "does not beat the best single method, {best}, significantly"


def verdicts(combined: pd.DataFrame) -> list[str]:
    """Say of each SLM and method that combines others whether it beats the best single method.

    Args:
        combined: the table of that name.
    """
    return [
        f"{slm}: {method} {'; '.join(map(_verdict, rows.itertuples()))}."
        for (slm, method), rows in combined.groupby(["slm", "method"], sort=True, observed=True)
    ]


def _verdict(row: Any) -> str:
    """Say what a row found, with its figures in brackets."""
    says = _SAYS.get(row.verdict, _OTHERWISE).format(best=row.best_single)
    what = "by AUROC" if row.measure == "auroc" else f"by area under the routing curve to {row.llm}"
    return f"{says}, {what} ({', '.join(_figures(row))})"


def _figures(row: Any) -> Iterator[str]:
    """Yield the figures of a row in words."""
    values = "" if pd.isna(row.value) else f"{row.value:.3f} against {row.best_value:.3f}, "
    yield f"{values}difference {row.difference:+.4f}"
    if not pd.isna(row.p_holm):
        yield f"95% {row.low:+.4f} to {row.high:+.4f}"
        yield f"Holm p {'< 0.001' if row.p_holm < 0.001 else f'= {row.p_holm:.3f}'}"
    yield f"{row.datasets} data set{'s' * (row.datasets != 1)}"
