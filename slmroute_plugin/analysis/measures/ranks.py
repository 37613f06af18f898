"""Mean ranks of the methods over data sets, with Nemenyi's critical difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.bootstrap_areas import Routable, areas
from slmroute_plugin.analysis.measures.comparison import LEVEL
from slmroute_plugin.analysis.study.runs import Setting, Study, by_slm

_RANKS = [
    "slm", "llm", "method", "mean_rank", "datasets", "best", "critical_difference",
    "friedman_p_value",
]  # fmt: skip


def ranks_table(study: Study) -> pd.DataFrame:
    """Rank the methods over the data sets, per SLM and LLM; see `Tables.ranks`.

    On each data set the methods are ranked by the area under the routing curve over all its rows,
    with unknown confidences least sure, so that all are held to the same questions. Equal areas
    share the mean of their ranks. Two methods differ significantly if their mean ranks are
    further apart than `critical_difference` = q·√(k(k + 1) / 6N), Nemenyi's at 0.05, for k methods
    on N data sets. `friedman_p_value` is that of the hypothesis that all methods are the same: only
    where it is small do critical differences mean something. `best` marks the smallest mean rank.

    Only data sets on which all methods have confidences are used. So that some remain, methods that
    lack confidences on more than half of the data sets are left out. With fewer than two data sets
    the critical difference is undefined. The p-value is undefined then too, and with fewer than
    three methods.

    Source: Demšar 2006, *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 7.
    """
    rows: list[tuple[object, ...]] = []
    for slm, settings in by_slm(setting for setting in study.settings if setting.llms).items():
        for llm, by_dataset in sorted(_areas_on_all_rows(settings).items()):
            methods, table = _complete(by_dataset)
            if not methods:
                continue
            mean_ranks = _ranks(table).mean(axis=0)
            best = np.isclose(mean_ranks, mean_ranks.min())
            about = (critical_difference(len(methods), len(table)), _friedman(table))
            rows += [
                (slm, llm, method, float(rank), len(table), bool(is_best), *about)
                for method, rank, is_best in zip(methods, mean_ranks, best, strict=True)
            ]
    return pd.DataFrame(rows, columns=_RANKS)


@cache
def critical_difference(methods: int, datasets: int) -> float:
    """Compute Nemenyi's critical difference of mean ranks, at 0.05.

    Returns:
        A difference of ranks; NaN with fewer than two methods or data sets.

    >>> round(critical_difference(5, 30), 3)  # q = 2.728, as in Demšar's table 5
    1.114
    """
    if methods < 2 or datasets < 2:
        return np.nan
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - LEVEL, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * datasets)))


def _areas_on_all_rows(settings: Sequence[Setting]) -> dict[str, dict[str, dict[str, float]]]:
    """Compute areas by LLM, data set and method, over all rows of what the LLM answered."""
    by_llm: dict[str, dict[str, dict[str, float]]] = {}
    for setting in settings:
        for llm in setting.llms:
            by_llm.setdefault(llm, {})[setting.slm.task] = {}
        right = np.column_stack([run.correct for run in setting.llms.values()])
        for method, scores in setting.slm.scores.items():
            if scores.known.any():
                area = areas(Routable(scores.confidence, scores.correct, right)).area[0]
                for llm, value in zip(setting.llms, area.tolist(), strict=True):
                    by_llm[llm][setting.slm.task][method] = value
    return by_llm


def _complete(
    by_dataset: Mapping[str, Mapping[str, float]],
) -> tuple[list[str], NDArray[np.float64]]:
    """Choose the methods and data sets to rank so that no area is missing.

    Returns:
        The methods, and their areas: [data sets, methods]; both empty if no data set is complete.
    """
    names = sorted({method for by_method in by_dataset.values() for method in by_method})
    methods = [
        name
        for name in names
        if 2 * sum(name in by_method for by_method in by_dataset.values()) >= len(by_dataset)
    ]
    table = [
        [by_method[method] for method in methods]
        for by_method in by_dataset.values()
        if all(method in by_method for method in methods)
    ]
    return (methods, np.array(table)) if table else ([], np.empty((0, 0)))


def _ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank the areas [data sets, methods] of each data set; rank 1 is the largest."""
    from scipy.stats import rankdata

    # Areas that are equal but for rounding share a rank.
    ranks: NDArray[np.float64] = rankdata(-np.round(table, 12), axis=1)
    return ranks


def _friedman(table: NDArray[np.float64]) -> float:
    """Compute the p-value of Friedman's test; NaN where it is undefined."""
    from scipy.stats import friedmanchisquare

    datasets, methods = table.shape
    if datasets < 2 or methods < 3 or (np.ptp(_ranks(table), axis=1) == 0).all():
        return np.nan
    return float(friedmanchisquare(*np.round(table, 12).T).pvalue)
