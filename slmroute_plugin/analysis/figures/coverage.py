"""Methods with too few confidences for a line beside lines over all questions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from slmroute_plugin.analysis.tables.caveats import (
    LEAST_COVERAGE,
    coverage_range,
    coverage_text,
)
from slmroute_plugin.analysis.tables.setting_tables import Unparsed

NAMED_PANELS = 3
"""The number of panels up to which a note names each; of more it says how many there are."""

TOO_FEW = "too few confidences"
"""What a panel says of which all lines are left out."""

LEAST_COVERAGE_NOTE = (
    f"Not drawn: lines over fewer than {LEAST_COVERAGE:.0%} of the questions of a panel, which "
    "lines over all of them cannot be compared with."
)


def left_out(
    routing: pd.DataFrame, methods: Collection[str], unparsed: Unparsed
) -> dict[str, float]:
    """Find the methods whose line in a panel would be over too few of its questions.

    Settings (SLM, LLM, data set) count the same, whatever their number of questions, as they do
    in a panel's mean; a setting in which a method has no confidence at all counts as 0.

    Args:
        routing: the panel's rows of the table `routing`.
        methods: all methods of the sheet; those without a row in the panel cover nothing of it.
        unparsed: with "route", answers without a confidence are part of the line.

    Returns:
        The share of the questions that the line would be over, for each such method; it is below
        `LEAST_COVERAGE`.
    """
    settings = len(routing[["slm", "llm", "dataset"]].drop_duplicates())
    covered = routing["coverage"] if unparsed == "leave-out" else routing["coverage"] * 0 + 1
    summed = covered.groupby(routing["method"].astype(str)).sum().reindex(sorted(methods))
    shares = summed.fillna(0.0) / max(settings, 1)
    return {str(method): float(share) for method, share in shares[shares < LEAST_COVERAGE].items()}


def left_out_notes(
    titles: Sequence[str],
    shares: Sequence[Mapping[str, float]],
    drawn: Collection[str],
    methods: Mapping[str, str],
) -> list[str]:
    """Say which lines are left out of which panels.

    Args:
        titles: the title of each panel.
        shares: for each panel, what `left_out` returns of it.
        drawn: methods that have a line in any panel; the key says of the others that they do not.
        methods: shown name of each method.
    """
    if not any(shares):
        return []
    sentences = [LEAST_COVERAGE_NOTE]
    for method in sorted({method for absent in shares for method in absent} & set(drawn)):
        where_left_out = [
            (title, absent[method])
            for title, absent in zip(titles, shares, strict=True)
            if method in absent
        ]
        if len(where_left_out) <= NAMED_PANELS:
            where = ", ".join(f"{title} ({coverage_text(s)})" for title, s in where_left_out)
        else:
            covered = coverage_range(pd.Series([share for _, share in where_left_out]))
            where = f"{len(where_left_out)} of {len(titles)} panels ({covered})"
        sentences.append(f"{methods[method]} is missing in {where}.")
    return [" ".join(sentences)]
