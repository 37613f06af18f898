"""Which method routes best, and whether it is more than chance: paired bootstrap, and ranks."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.study.runs import Setting, Study, by_slm

LEVEL = 0.05

_COMPARISON = [
    "slm", "llm", "method_a", "method_b", "datasets", "n", "difference", "low", "high",
    "p_value", "p_holm", "significant",
]  # fmt: skip
_RANKS = [
    "slm", "llm", "method", "mean_rank", "datasets", "best", "critical_difference",
    "friedman_p_value",
]  # fmt: skip


class _Difference(NamedTuple):
    """Of two methods on one data set: area less area, of the rows and of each resample."""

    n: int
    observed: float
    resampled: NDArray[np.float64]


def comparison_table(
    study: Study, unparsed_routed: bool = False, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Paired bootstrap tests between all methods of an SLM and LLM; see `Tables.comparison`.

    The figure is the mean over data sets of area(method_a) − area(method_b), where the area is
    that under the routing curve, and every data set counts the same. On each data set both
    methods are held to the same questions: those for which both have a confidence, or, with
    `unparsed_routed`, all, the unknown ones least sure. Data sets without such a question
    are left out.

    Questions are resampled within each data set, the same ones for both methods. `low` and `high`
    are the percentiles 2.5 and 97.5 of the resampled figures. The p-value is two-sided, by
    centring the resamples on the hypothesis of no difference:
    (1 + number of |Δ* − Δ| ≥ |Δ|) / (1 + resamples). `p_holm` is Holm's correction over all pairs
    of the SLM and LLM, and `significant` says whether it is at most 0.05. As no p-value is below
    1 / (1 + resamples), there are at least 20 resamples per pair, or nothing could be significant;
    with `resamples` = 0 there are none, and nothing is tested.

    Sources: Efron & Tibshirani 1993, *An Introduction to the Bootstrap*, ch. 16; Hall & Wilson
    1991, *Two guidelines for bootstrap hypothesis testing* (centring); Holm 1979, *A simple
    sequentially rejective multiple test procedure*.
    """
    rows: list[tuple[object, ...]] = []
    for slm, settings in by_slm(each for each in study.settings if each.llms).items():
        pairs = list(combinations(_methods(settings), 2))
        fewest = int(np.ceil(len(pairs) / LEVEL))
        enough = max(resamples, fewest) if resamples else 0
        found: dict[tuple[str, str, str], list[_Difference]] = defaultdict(list)
        for setting in settings:
            for key, difference in _differences(setting, pairs, unparsed_routed, enough, seed):
                found[key].append(difference)
        for llm in sorted({key[0] for key in found}):
            tested = [((a, b), _tested(found[llm, a, b])) for a, b in pairs if (llm, a, b) in found]
            adjusted = holm([test[-1] for _, test in tested])
            rows += [
                (slm, llm, *pair, *test, p_holm, p_holm <= LEVEL)
                for (pair, test), p_holm in zip(tested, adjusted, strict=True)
            ]
    return pd.DataFrame(rows, columns=_COMPARISON)


def ranks_table(study: Study) -> pd.DataFrame:
    """Mean rank of each method over the data sets, per SLM and LLM; see `Tables.ranks`.

    On each data set the methods are ranked by the area under the routing curve over all its rows,
    the unknown confidences least sure, so that all are held to the same questions; equal areas
    share the mean of their ranks. Two methods differ significantly if their mean ranks are
    further apart than `critical_difference` = q·√(k(k + 1) / 6N), Nemenyi's at 0.05, for k methods
    on N data sets. `friedman_p_value` is that of the hypothesis that all are the same: only where
    it is small do critical differences mean something. `best` marks the smallest mean rank.

    Only data sets on which all methods have confidences are used; for their sake, methods are left
    out that lack them on more than half of the data sets. With fewer than two data sets the
    critical difference is undefined, and so is the p-value, which takes three methods also.

    Source: Demšar 2006, *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 7.
    """
    rows: list[tuple[object, ...]] = []
    for slm, settings in by_slm(each for each in study.settings if each.llms).items():
        for llm in sorted({name for each in settings for name in each.llms}):
            by_dataset = _areas_on_all_rows([one for one in settings if llm in one.llms], llm)
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return [float(one) for one in adjusted]


@cache
def critical_difference(methods: int, datasets: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of mean ranks; NaN with fewer than two of either.

    >>> round(critical_difference(5, 30), 3)  # q = 2.728, as in Demšar's table 5
    1.114
    """
    if methods < 2 or datasets < 2:
        return np.nan
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - level, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * datasets)))


def _methods(settings: Sequence[Setting]) -> list[str]:
    return sorted({method for each in settings for method in each.slm.scores})


def _differences(
    setting: Setting,
    pairs: Sequence[tuple[str, str]],
    unparsed_routed: bool,
    resamples: int,
    seed: int,
) -> Iterator[tuple[tuple[str, str, str], _Difference]]:
    """Of each pair of methods and LLM that the setting can tell apart.

    A method's resampled areas are computed once for all pairs that are held to the same rows.
    """
    llms = sorted(setting.llms)
    for rows, alike in _by_rows(setting, pairs, unparsed_routed):
        n = int(rows.sum())
        draw = np.random.default_rng([seed, zlib.crc32(setting.slm.task.encode())])
        counts = resampled_counts(n, resamples, draw)
        observed, drawn = {}, {}
        for method in {method for pair in alike for method in pair}:
            routable = _routable(setting, method, llms, rows)
            observed[method] = areas(routable).area[0]
            drawn[method] = np.empty((0, len(llms)))
            if resamples:
                drawn[method] = resampled_areas(routable, counts).area
        for a, b in alike:
            difference, resampled = observed[a] - observed[b], drawn[a] - drawn[b]
            for at, llm in enumerate(llms):
                yield (llm, a, b), _Difference(n, float(difference[at]), resampled[:, at])


def _by_rows(
    setting: Setting, pairs: Sequence[tuple[str, str]], unparsed_routed: bool
) -> Iterator[tuple[NDArray[np.bool_], list[tuple[str, str]]]]:
    """The rows to which pairs of methods are held, and the pairs."""
    scores = {name: each for name, each in setting.slm.scores.items() if each.known.any()}
    alike: dict[bytes, list[tuple[str, str]]] = defaultdict(list)
    for a, b in pairs:
        if a in scores and b in scores:
            rows = scores[a].known & scores[b].known
            alike[(np.ones_like(rows) if unparsed_routed else rows).tobytes()].append((a, b))
    for which, found in alike.items():
        rows = np.frombuffer(which, np.bool_)
        if rows.any():
            yield rows, found


def _routable(
    setting: Setting, method: str, llms: Sequence[str], rows: NDArray[np.bool_]
) -> Routable:
    scores = setting.slm.scores[method]
    llm = [setting.llms[name].correct[rows] for name in llms]
    return Routable(scores.confidence[rows], scores.correct[rows], np.column_stack(llm))


def _tested(on_datasets: Sequence[_Difference]) -> tuple[int, int, float, float, float, float]:
    """Data sets, n, difference, low, high, p-value."""
    observed = float(np.mean([one.observed for one in on_datasets]))
    resampled = np.mean([one.resampled for one in on_datasets], axis=0)
    n = sum(one.n for one in on_datasets)
    if not len(resampled):
        return len(on_datasets), n, observed, np.nan, np.nan, np.nan
    low, high = np.quantile(resampled, [LEVEL / 2, 1 - LEVEL / 2])
    # A hair's breadth, so that what is equal but for rounding counts as equal.
    as_large = np.abs(resampled - observed) >= abs(observed) - 1e-9
    p_value = (1 + int(as_large.sum())) / (1 + len(resampled))
    return len(on_datasets), n, observed, float(low), float(high), p_value


def _areas_on_all_rows(settings: Sequence[Setting], llm: str) -> dict[str, dict[str, float]]:
    by_dataset = {}
    for setting in settings:
        everything = np.ones(len(setting.slm.correct), bool)
        by_dataset[setting.slm.task] = {
            method: float(areas(_routable(setting, method, [llm], everything)).area[0, 0])
            for method, scores in setting.slm.scores.items()
            if scores.known.any()
        }
    return by_dataset


def _complete(
    by_dataset: Mapping[str, Mapping[str, float]],
) -> tuple[list[str], NDArray[np.float64]]:
    """The methods that are ranked, and [datasets, methods] their areas, without a gap."""
    names = sorted({method for found in by_dataset.values() for method in found})
    methods = [
        name
        for name in names
        if 2 * sum(name in found for found in by_dataset.values()) >= len(by_dataset)
    ]
    table = [
        [found[method] for method in methods]
        for found in by_dataset.values()
        if all(method in found for method in methods)
    ]
    return (methods, np.array(table)) if table else ([], np.empty((0, 0)))


def _ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    # Areas that are equal but for rounding share a rank.
    ranks: NDArray[np.float64] = rankdata(-np.round(table, 12), axis=1)
    return ranks


def _friedman(table: NDArray[np.float64]) -> float:
    from scipy.stats import friedmanchisquare

    datasets, methods = table.shape
    if datasets < 2 or methods < 3 or (np.ptp(_ranks(table), axis=1) == 0).all():
        return np.nan
    return float(friedmanchisquare(*np.round(table, 12).T).pvalue)
