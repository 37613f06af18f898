"""Whether a method that combines others is better than the best of those that do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Areas,
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.comparison import (
    LEVEL,
    centred_test,
    enough_resamples,
    holm,
    task_generator,
)
from slmroute_plugin.analysis.study.runs import Setting, Study, by_slm

LEAST_SHARE = 0.5
"""The least share of the combining method's answers for which a single method has confidences."""

_COMBINED = [
    "slm", "llm", "method", "measure", "best_single", "datasets", "n", "value", "best_value",
    "difference", "low", "high", "p_value", "p_holm", "verdict",
]  # fmt: skip

BETTER, WORSE = "better", "worse"
NOT_SIGNIFICANT, NOT_TESTED = "not significant", "not tested"


class _Pair(NamedTuple):
    """A method that combines others, and a method that does not."""

    combined: str
    single: str


@dataclass(frozen=True, eq=False)
class _Difference:
    """The AUROC of both methods of a pair on one data set, over the same answers.

    Attributes:
        n: the number of answers.
        values: the AUROC of both.
        resampled: [R]: the difference in each resample.
    """

    n: int
    values: tuple[float, float]
    resampled: NDArray[np.float64]


def combined_table(
    study: Study, comparison: pd.DataFrame, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Hold each method that combines others to the best single method; see `Tables.combined`.

    The rows with `measure` "area" are those of `comparison`, with its correction over all pairs of
    methods. Those with "auroc" are tested in the same way: the statistic is the mean over data sets
    of the difference of both AUROCs over the answers for which both have a confidence. Questions
    are resampled within each data set, the p-value is two-sided, by centring, and `p_holm` is
    Holm's correction over all pairs of a combining and a single method of the SLM.

    The best single method is the one with the smallest difference, which is known only afterwards;
    as the correction is over all pairs, the verdict on it holds all the same. A method without
    confidences for half of the answers is not a rival. `verdict` is "better" or "worse" if `p_holm`
    is at most 0.05, else "not significant", or "not tested" without resamples.

    Args:
        study: the study.
        comparison: the table that `comparison_table` made of it.
        resamples: the number of resamples; there are at least 20 for each pair, or none.
        seed: the seed of the resamples.
    """
    rows: list[tuple[object, ...]] = []
    for slm, settings in by_slm(study.settings).items():
        pairs = _pairs(settings)
        if not pairs:
            continue
        rows += [(slm, "", *row) for row in _by_auroc(settings, pairs, resamples, seed)]
        rows += [(slm, *row) for row in _by_area(comparison[comparison["slm"] == slm], pairs)]
    return pd.DataFrame(rows, columns=_COMBINED)


def verdict(difference: float, p_holm: float) -> str:
    """Say what a test found of a combining method.

    >>> verdict(0.01, 0.04), verdict(0.01, 0.06), verdict(-0.01, 0.001), verdict(0.1, np.nan)
    ('better', 'not significant', 'worse', 'not tested')
    """
    if np.isnan(p_holm):
        return NOT_TESTED
    if p_holm > LEVEL:
        return NOT_SIGNIFICANT
    return BETTER if difference > 0 else WORSE


def _pairs(settings: Sequence[Setting]) -> list[_Pair]:
    """Pair each method that combines others with each that does not and covers enough."""
    names: set[str] = set()
    combining: set[str] = set()
    for setting in settings:
        names |= setting.slm.scores.keys()
        combining |= {name for name, own in setting.slm.scores.items() if own.combines}
    return [
        _Pair(combined, single)
        for combined in sorted(combining)
        for single in sorted(names - combining)
        if _is_rival(settings, combined, single)
    ]


def _is_rival(settings: Sequence[Setting], combined: str, single: str) -> bool:
    """Tell whether a single method has confidences for enough of the combining method's answers."""
    both = of_combined = 0
    for setting in settings:
        scores = setting.slm.scores
        if combined in scores:
            of_combined += int(scores[combined].known.sum())
            if single in scores:
                both += int((scores[combined].known & scores[single].known).sum())
    return both > 0 and both >= LEAST_SHARE * of_combined


def _by_auroc(
    settings: Sequence[Setting], pairs: Sequence[_Pair], resamples: int, seed: int
) -> Iterator[tuple[object, ...]]:
    """Yield the columns after `llm` of each combining method, by AUROC."""
    enough = enough_resamples(resamples, len(pairs))
    by_pair: dict[_Pair, list[_Difference]] = defaultdict(list)
    for setting in settings:
        for pair, difference in _differences(setting, pairs, enough, seed):
            by_pair[pair].append(difference)
    tested = {pair: _tested(differences) for pair, differences in by_pair.items()}
    adjusted = dict(zip(tested, holm([test.p_value for test in tested.values()]), strict=True))
    for combined in sorted({pair.combined for pair in tested}):
        rivals = [pair for pair in tested if pair.combined == combined]
        best = min(rivals, key=lambda pair: (tested[pair].difference, pair.single))
        test, p_holm = tested[best], adjusted[best]
        yield (combined, "auroc", best.single, *test, p_holm, verdict(test.difference, p_holm))


def _differences(
    setting: Setting, pairs: Sequence[_Pair], resamples: int, seed: int
) -> Iterator[tuple[_Pair, _Difference]]:
    """Yield each pair with its difference on a data set where both AUROCs are defined."""
    scores = setting.slm.scores
    drawn: dict[bytes, list[NDArray[np.float32]]] = {}
    kept: dict[tuple[str, bytes], tuple[Areas, Areas | None]] = {}
    for pair in pairs:
        if pair.combined not in scores or pair.single not in scores:
            continue
        rows = scores[pair.combined].known & scores[pair.single].known
        packed = rows.tobytes()
        if not rows.any():
            continue
        if packed not in drawn:
            generator = task_generator(setting, seed)
            drawn[packed] = resampled_counts(int(rows.sum()), resamples, generator)
        for method in pair:
            if (method, packed) not in kept:
                none = np.empty((int(rows.sum()), 0), dtype=bool)
                of_method = scores[method]
                routable = Routable(of_method.confidence[rows], of_method.correct[rows], none)
                counts = drawn[packed]
                kept[method, packed] = (
                    areas(routable),
                    resampled_areas(routable, counts) if counts else None,
                )
        (a, many_a), (b, many_b) = (kept[method, packed] for method in pair)
        values = float(a.auroc[0]), float(b.auroc[0])
        if np.isnan(values).any():
            continue
        resampled = np.empty(0) if many_a is None or many_b is None else many_a.auroc - many_b.auroc
        yield pair, _Difference(int(rows.sum()), values, resampled)


class _Test(NamedTuple):
    """A test of the mean difference over data sets; NaN without resamples."""

    datasets: int
    n: int
    value: float
    best_value: float
    difference: float
    low: float
    high: float
    p_value: float


def _tested(on_datasets: Sequence[_Difference]) -> _Test:
    """Test the mean difference over data sets, each of which counts the same."""
    value, best = np.mean([difference.values for difference in on_datasets], axis=0).tolist()
    n = sum(difference.n for difference in on_datasets)
    observed = value - best
    each = np.stack([difference.resampled for difference in on_datasets])
    # In a resample of few questions, all answers of a data set may be right: it is left out there.
    defined = ~np.isnan(each)
    counted = defined.sum(axis=0)
    sums = np.where(defined, each, 0.0).sum(axis=0)
    resampled = sums[counted > 0] / counted[counted > 0]
    tested = centred_test(observed, resampled)
    return _Test(len(on_datasets), n, value, best, observed, *tested)


class _Rival(NamedTuple):
    """A single method, and the row of a comparison in which it is beside a combining method.

    Attributes:
        difference: the area of the combining method less that of the single method.
        single: the name of the single method.
        row: the row.
        sign: 1 if the combining method is the first of the row, else -1.
    """

    difference: float
    single: str
    row: Any
    sign: int


def _by_area(comparison: pd.DataFrame, pairs: Sequence[_Pair]) -> Iterator[tuple[object, ...]]:
    """Yield the columns after `slm` of each LLM and combining method, by area."""
    for llm, of_llm in comparison.groupby("llm", sort=True):
        rows = {(row.method_a, row.method_b): row for row in of_llm.itertuples()}
        rivals: dict[str, list[_Rival]] = defaultdict(list)
        for combined, single in pairs:
            first, second = sorted((combined, single))
            if (row := rows.get((first, second))) is not None:
                sign = 1 if first == combined else -1
                rivals[combined].append(_Rival(sign * row.difference, single, row, sign))
        for combined in sorted(rivals):
            best = min(rivals[combined], key=lambda rival: (rival.difference, rival.single))
            row = best.row
            ends = sorted((best.sign * row.low, best.sign * row.high))
            yield (
                llm, combined, "area", best.single, row.datasets, row.n, np.nan, np.nan,
                best.difference, *ends, row.p_value, row.p_holm,
                verdict(best.difference, row.p_holm),
            )  # fmt: skip
