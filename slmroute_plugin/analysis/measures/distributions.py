"""How far confidences of different data sets, SLMs and methods lie apart (the paper's insight 5).

A cell is the confidences of one SLM on one data set by one method. Two cells that differ in
the data set alone, in the SLM alone, or in the method alone are a pair, and have a distance:

- `wasserstein`: the 1-Wasserstein distance of the confidences, in [0, 1]: how far confidence
  has to be moved, on average, to turn one distribution into the other;
- `jensen_shannon`: the Jensen–Shannon distance (the root of the divergence, base 2) of their
  histograms over 20 bins of [0, 1]; in [0, 1], and 1 where they share no bin.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.study.runs import Study

BETWEEN = ("datasets", "slms", "methods")
MEASURES = ("wasserstein", "jensen_shannon")

_SIDES = ("slm", "dataset", "method")
_COLUMNS = [
    "measure", "between", "slm_a", "dataset_a", "method_a", "slm_b", "dataset_b", "method_b",
    "distance",
]  # fmt: skip
_INSIGHT = ["measure", "between", "pairs", "mean_distance", "difference", "p_value"]
_FEWEST_LEVELS = 3
BINS = 20
# Edges that are added up, as numpy's own are, miss numbers such as 0.95 by a rounding.
EDGES = np.arange(BINS + 1) / BINS


class CellName(NamedTuple):
    """The name of a cell: an SLM, a data set and a method."""

    slm: str
    dataset: str
    method: str


class _Pair(NamedTuple):
    """A pair of cells that differ in one thing alone, which `between` names in the plural."""

    between: str
    a: CellName
    b: CellName


def distributions_table(study: Study) -> pd.DataFrame:
    """Measure the distance of each pair of cells; see `Tables.distributions`.

    Confidences that are not known are left out, and so are cells without any.
    """
    cells = _cells(study)
    pairs = list(_pairs(list(cells)))
    distances: dict[str, Sequence[float] | NDArray[np.float64]] = {
        "wasserstein": _wasserstein(cells, pairs),
        "jensen_shannon": _jensen_shannon(cells, pairs),
    }
    rows = [
        (measure, pair.between, *pair.a, *pair.b, distance)
        for measure in MEASURES
        for pair, distance in zip(pairs, distances[measure], strict=True)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def insight_table(
    distributions: pd.DataFrame, permutations: int = 9999, seed: int = 0
) -> pd.DataFrame:
    """Test whether confidences depend on the SLM, and on the method, more than on the data set.

    `mean_distance` is the mean over all pairs that differ in the data set (SLM, method) alone.
    `difference` is that mean less the mean between data sets. `p_value` is that of the hypothesis
    that the SLM (the method) makes no more difference than the data set does, one-sided.

    The pairs are many, but not independent: 12 SLMs give 66 pairs of SLMs, and still are 12.
    So the test counts levels (the SLMs, methods, data sets), not pairs. Level i gets the jackknife
    pseudo-value n·D − (n − 1)·D₍₋ᵢ₎, where D is the mean distance, D₍₋ᵢ₎ the mean over the pairs
    without i, and n the number of levels. The pseudo-values of a factor have D as their mean (but
    for gaps in the grid), and are nearly independent. The permutation exchanges which of the
    pseudo-values belong to the SLMs (the methods) and which to the data sets: if both factors made
    the same difference, each division would be as likely as any other. The statistic is Welch's t,
    with which the test stays right in large samples where the factors differ in the spread of
    their levels. All permutations are enumerated if there are no more than `permutations`.
    Otherwise that many are drawn, and p = (1 + number at least as large) / (1 + number drawn).

    The test speaks of SLMs, methods and data sets like those that were run. With fewer than three
    levels of a factor, the p-value is undefined.

    Args:
        distributions: the table that `distributions_table` made.
        permutations: the largest number of permutations to draw.
        seed: the seed of the draw.

    Sources: Efron & Stein 1981, *The jackknife estimate of variance* (pseudo-values); Chung &
    Romano 2013, *Exact and asymptotically robust permutation tests* (studentised statistic);
    Phipson & Smyth 2010, *Permutation p-values should never be zero* (+1).
    """
    rows = []
    for measure in MEASURES:
        of_measure = distributions[distributions["measure"] == measure]
        groups = {between: of_measure[of_measure["between"] == between] for between in BETWEEN}
        means = {between: float(group["distance"].mean()) for between, group in groups.items()}
        by_dataset = _pseudo_values(groups["datasets"], "dataset")
        for between, group in groups.items():
            p_value = np.nan
            if between != "datasets":
                levels = _pseudo_values(group, between.removesuffix("s"))
                p_value = _p_value(levels, by_dataset, permutations, seed)
            difference = means[between] - means["datasets"]
            rows.append((measure, between, len(group), means[between], difference, p_value))
    return pd.DataFrame(rows, columns=_INSIGHT)


def _cells(study: Study) -> dict[CellName, NDArray[np.float64]]:
    """Collect the known confidences of each cell, ascending."""
    cells = {}
    for setting in study.settings:
        for method, scores in setting.slm.scores.items():
            known = scores.confidence[scores.known]
            if known.size:
                cells[CellName(setting.slm.model, setting.slm.task, method)] = np.sort(known)
    return cells


def _pairs(cells: Sequence[CellName]) -> list[_Pair]:
    """Pair the cells that differ in the data set alone, the SLM alone, or the method alone."""
    pairs = []
    for between in BETWEEN:
        varies = between.removesuffix("s")
        alike: dict[tuple[str, ...], list[CellName]] = defaultdict(list)
        for cell in sorted(cells):
            alike[tuple(getattr(cell, side) for side in _SIDES if side != varies)].append(cell)
        pairs += [
            _Pair(between, a, b) for group in alike.values() for a, b in combinations(group, 2)
        ]
    return pairs


def _wasserstein(
    cells: Mapping[CellName, NDArray[np.float64]], pairs: Sequence[_Pair]
) -> list[float]:
    """Compute the 1-Wasserstein distance of each pair."""
    return [_moved(cells[pair.a], cells[pair.b]) for pair in pairs]


def _moved(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Compute the 1-Wasserstein distance of two samples of ascending values."""
    from scipy.stats import wasserstein_distance

    if a.size == b.size:
        # Each of equally many sorted values goes to its counterpart: the same distance, sooner.
        return float(np.abs(a - b).mean())
    return float(wasserstein_distance(a, b))


def _jensen_shannon(
    cells: Mapping[CellName, NDArray[np.float64]], pairs: Sequence[_Pair]
) -> NDArray[np.float64]:
    """Compute the Jensen–Shannon distance of each pair's histograms, base 2: [pairs], in [0, 1]."""
    from scipy.spatial.distance import jensenshannon

    if not pairs:
        return np.empty(0)
    shares = {cell: np.histogram(known, EDGES)[0] / known.size for cell, known in cells.items()}
    a = np.array([shares[pair.a] for pair in pairs])
    b = np.array([shares[pair.b] for pair in pairs])
    distances: NDArray[np.float64] = jensenshannon(a, b, base=2, axis=1)
    # Of two equal histograms, rounding can make the divergence a little less than 0.
    return np.where((a == b).all(axis=1), 0.0, distances)


def _pseudo_values(pairs: pd.DataFrame, varies: str) -> NDArray[np.float64]:
    """Compute the jackknife pseudo-value of each level: [levels]; empty with too few levels."""
    ends = pd.concat([pairs[f"{varies}_{end}"] for end in "ab"])
    distances = pd.concat([pairs["distance"], pairs["distance"]])
    of_level = distances.groupby(ends).agg(["sum", "count"])
    levels, without = len(of_level), len(pairs) - of_level["count"]
    if levels < _FEWEST_LEVELS or (without == 0).any():
        return np.empty(0)
    total = pairs["distance"].sum()
    mean_without = (total - of_level["sum"]) / without
    values = levels * total / len(pairs) - (levels - 1) * mean_without
    return np.asarray(values, np.float64)


def _p_value(
    levels: NDArray[np.float64],
    by_dataset: NDArray[np.float64],
    permutations: int,
    seed: int,
) -> float:
    """Test by permutation whether the mean of `levels` is the larger; NaN if either is empty."""
    from scipy.stats import PermutationMethod, ttest_ind

    if not (levels.size and by_dataset.size):
        return np.nan
    method = PermutationMethod(n_resamples=permutations, rng=np.random.default_rng(seed))
    with warnings.catch_warnings():
        # Levels that are all alike have no spread to divide by: the result is NaN, which says so.
        warnings.simplefilter("ignore", RuntimeWarning)
        result = ttest_ind(
            levels, by_dataset, equal_var=False, alternative="greater", method=method
        )
    return float(result.pvalue)
