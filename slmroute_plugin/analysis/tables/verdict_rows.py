"""The table `verdicts`: whether to route, for each data set of an SLM and over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from slmroute_plugin.analysis.measures.routing_policies import (
    FEWEST,
    Policies,
    Routing,
    overall,
    policies,
)
from slmroute_plugin.analysis.measures.routing_verdicts import Verdict, verdicts
from slmroute_plugin.analysis.measures.total_cost import Spent
from slmroute_plugin.analysis.study.runs import Setting
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions, setting_counts

OVER_ALL = "(all)"
"""What `dataset` is for verdicts over all data sets of an SLM."""

_NAMES = ("slm", "dataset", "llm", "method")


def verdict_table(settings: Sequence[Setting], options: MeasureOptions) -> pd.DataFrame:
    """Decide for each data set, LLM and method of one SLM whether to route, and over all.

    Data sets on which a method has too few confidences for a verdict are no part of its mean.
    """
    rows: list[tuple[object, ...]] = []
    everywhere: dict[str, dict[str, list[Policies]]] = defaultdict(lambda: defaultdict(list))
    for setting in settings:
        by_llm = _policies(setting, options)
        for llm, by_method in by_llm.items():
            rows += _rows(setting.slm.model, setting.slm.task, llm, by_method, options)
            for method, of in by_method.items():
                everywhere[llm][method].append(of)
    for llm, on_datasets in sorted(everywhere.items()):
        by_method = {method: overall(_enough(each)) for method, each in on_datasets.items()}
        rows += _rows(settings[0].slm.model, OVER_ALL, llm, by_method, options)
    return pd.DataFrame(rows, columns=[*_NAMES, *_columns()])


def _enough(on_datasets: Sequence[Policies]) -> Sequence[Policies]:
    """Return the policies on data sets with enough confidences; all, if none has enough.

    The mean would lean on a handful of questions as much as on all those of another data set. Where
    none has enough, no policy may be told.
    """
    return [each for each in on_datasets if each.known >= 2 * FEWEST] or on_datasets


def _policies(setting: Setting, options: MeasureOptions) -> dict[str, dict[str, Policies]]:
    """Return the policies on one data set by LLM and method."""
    by_llm: dict[str, dict[str, Policies]] = {llm: {} for llm in setting.llms}
    if not by_llm:
        return {}
    counts = setting_counts(setting.slm, options)
    for method, scores in setting.slm.scores.items():
        kept = np.ones_like(scores.known) if options.unparsed == "route" else scores.known
        if not scores.known.any():
            continue
        # A kept answer is the SLM's own, as in a live run, also of methods with other answers.
        routing = Routing(
            scores.confidence[kept],
            setting.slm.correct[kept],
            np.column_stack([run.correct[kept] for run in setting.llms.values()]),
            [Spent.dollars(setting.slm, scores, run).taken(kept) for run in setting.llms.values()],
        )
        drawn = counts if kept.all() else [block[kept] for block in counts]
        for llm, of in zip(setting.llms, policies(routing, drawn), strict=True):
            by_llm[llm][method] = of
    return by_llm


def _rows(
    slm: str, dataset: str, llm: str, by_method: Mapping[str, Policies], options: MeasureOptions
) -> Iterable[tuple[object, ...]]:
    """Yield the rows of one family of verdicts."""
    for method, verdict in verdicts(by_method, options.least_gain).items():
        yield (slm, dataset, llm, method, *verdict)


def _columns() -> list[str]:
    """Name the columns after the names; dollars say so."""
    in_usd = {"cost_slm", "cost_llm", "cost"}
    return [f"{name}_usd" if name in in_usd else name for name in Verdict._fields]


def verdict_lines(table: pd.DataFrame) -> list[str]:
    """Say for each SLM and LLM which methods to route by, over all data sets.

    Args:
        table: the table `verdicts`.
    """
    if table.empty:
        return []
    over_all = table[table["dataset"] == OVER_ALL]
    lines = []
    for (slm, llm), rows in over_all.groupby(["slm", "llm"], sort=True, observed=True):
        parts = []
        for (verdict, reason), alike in rows.groupby(["verdict", "reason"], sort=False):
            why = f" ({reason})" if reason else ""
            parts.append(f"{verdict} by {', '.join(sorted(alike['method']))}{why}")
        parts.sort(key=lambda part: not part.startswith("ROUTE"))
        lines.append(f"{slm} to {llm}: {'; '.join(parts)}.")
    return lines
