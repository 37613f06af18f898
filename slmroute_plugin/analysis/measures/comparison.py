"""Which of two methods routes better, and whether by more than chance: paired bootstrap tests."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
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


class _Difference(NamedTuple):
    """The difference of two methods' areas on one data set, of the rows and of each resample."""

    n: int
    observed: float
    resampled: NDArray[np.float64]


def comparison_table(
    study: Study, unparsed_routed: bool = False, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Test all pairs of methods of an SLM and LLM by paired bootstrap; see `Tables.comparison`.

    The statistic is the mean over data sets of area(method_a) − area(method_b), where the area is
    that under the routing curve, and every data set counts the same. On each data set both
    methods are held to the same questions: those for which both have a confidence, or, with
    `unparsed_routed`, all, with unknown confidences least sure. Data sets without such a question
    are left out.

    Questions are resampled within each data set, the same ones for both methods. `low` and `high`
    are the percentiles 2.5 and 97.5 of the resampled statistics. The p-value is two-sided, by
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
    for slm, settings in by_slm(setting for setting in study.settings if setting.llms).items():
        methods = sorted({method for setting in settings for method in setting.slm.scores})
        pairs = list(combinations(methods, 2))
        enough = enough_resamples(resamples, len(pairs))
        by_key: dict[tuple[str, str, str], list[_Difference]] = defaultdict(list)
        for setting in settings:
            for key, difference in _differences(setting, pairs, unparsed_routed, enough, seed):
                by_key[key].append(difference)
        for llm in sorted({key[0] for key in by_key}):
            of_pair = {(a, b): by_key[llm, a, b] for a, b in pairs if (llm, a, b) in by_key}
            tested = [(pair, _tested(differences)) for pair, differences in of_pair.items()]
            adjusted = holm([test.p_value for _, test in tested])
            rows += [
                (slm, llm, *pair, *test, p_holm, p_holm <= LEVEL)
                for (pair, test), p_holm in zip(tested, adjusted, strict=True)
            ]
    return pd.DataFrame(rows, columns=_COMPARISON)


def enough_resamples(resamples: int, tests: int) -> int:
    """Return the number of resamples, raised to 20 for each test that is corrected for; 0 stays 0.

    >>> enough_resamples(1000, 3), enough_resamples(1000, 66), enough_resamples(0, 66)
    (1000, 1320, 0)
    """
    return max(resamples, int(np.ceil(tests / LEVEL))) if resamples else 0


def task_generator(setting: Setting, seed: int) -> np.random.Generator:
    """Return the generator of a task's resamples, which are the same for all methods and SLMs."""
    return np.random.default_rng([seed, zlib.crc32(setting.slm.task.encode())])


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's step-down procedure, and return them in the order given.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return [float(p_value) for p_value in adjusted]


def _differences(
    setting: Setting,
    pairs: Sequence[tuple[str, str]],
    unparsed_routed: bool,
    resamples: int,
    seed: int,
) -> Iterator[tuple[tuple[str, str, str], _Difference]]:
    """Yield (LLM, method a, method b) and their difference, for each pair with rows to compare.

    The resampled areas of a method are computed once for all pairs that are held to the same rows.
    """
    llms = sorted(setting.llms)
    for rows, alike in _by_rows(setting, pairs, unparsed_routed):
        n = int(rows.sum())
        counts = resampled_counts(n, resamples, task_generator(setting, seed))
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
    """Yield the rows to which pairs of methods are held, [n], with these pairs."""
    scores = {name: of for name, of in setting.slm.scores.items() if of.known.any()}
    by_rows: dict[bytes, list[tuple[str, str]]] = defaultdict(list)
    for a, b in pairs:
        if a in scores and b in scores:
            rows = scores[a].known & scores[b].known
            by_rows[(np.ones_like(rows) if unparsed_routed else rows).tobytes()].append((a, b))
    for packed, alike in by_rows.items():
        rows = np.frombuffer(packed, np.bool_)
        if rows.any():
            yield rows, alike


def _routable(
    setting: Setting, method: str, llms: Sequence[str], rows: NDArray[np.bool_]
) -> Routable:
    """Take a method's confidences and the verdicts on SLM and LLMs, on the given rows [n]."""
    scores = setting.slm.scores[method]
    llm = [setting.llms[name].correct[rows] for name in llms]
    return Routable(scores.confidence[rows], scores.correct[rows], np.column_stack(llm))


class _Test(NamedTuple):
    """A test of the mean difference over data sets; NaN without resamples."""

    datasets: int
    n: int
    difference: float
    low: float
    high: float
    p_value: float


def _tested(on_datasets: Sequence[_Difference]) -> _Test:
    """Test the mean difference over data sets, each of which counts the same."""
    observed = float(np.mean([difference.observed for difference in on_datasets]))
    resampled = np.mean([difference.resampled for difference in on_datasets], axis=0)
    n = sum(difference.n for difference in on_datasets)
    return _Test(len(on_datasets), n, observed, *centred_test(observed, resampled))


class CentredTest(NamedTuple):
    """A two-sided test whether a difference is 0; NaN without resamples.

    Attributes:
        low: the lower end of the difference's 95% interval.
        high: the upper end.
        p_value: the p-value.
    """

    low: float
    high: float
    p_value: float


def centred_test(observed: float, resampled: NDArray[np.float64]) -> CentredTest:
    """Test whether a difference is 0, by resamples centred on the one that was observed.

    Args:
        observed: the difference.
        resampled: [R]: the difference in each resample.
    """
    if not len(resampled):
        return CentredTest(np.nan, np.nan, np.nan)
    low, high = np.quantile(resampled, [LEVEL / 2, 1 - LEVEL / 2]).tolist()
    # Differences that are equal but for rounding count as equal.
    as_large = np.abs(resampled - observed) >= abs(observed) - 1e-9
    return CentredTest(low, high, (1 + int(as_large.sum())) / (1 + len(resampled)))
