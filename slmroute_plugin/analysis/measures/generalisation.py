"""The fate of a threshold on a data set that it was not chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.threshold_cuts import Cuts, cuts, last_within
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, by_slm

TARGET_RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_COLUMNS = [
    "slm", "dataset", "method", "llm", "fitted_on", "target_ratio", "threshold", "realised_ratio",
    "accuracy", "own_threshold", "own_ratio", "own_accuracy", "random_accuracy",
]  # fmt: skip


def generalisation_table(
    study: Study, unparsed_routed: bool = False, targets: Sequence[float] = TARGET_RATIOS
) -> pd.DataFrame:
    """Route each data set by a threshold from all others; see `Tables.generalisation`.

    For each SLM and method, one data set is held out. The threshold is the largest with which at
    most the target share of the others is routed, where **each of the other data sets counts the
    same**, however many rows it has: the share is the mean of their shares. The own threshold is
    the largest with which at most that share of the held-out data set itself is routed. Answers of
    one confidence go together, so that realised ratios can be well below the target.

    `accuracy` is that after routing the held-out data set. `random_accuracy` is the expected
    accuracy if as many of its questions (`realised_ratio`) were routed at random. All figures are
    over the rows with a confidence. With `unparsed_routed` they are over all rows, and rows without
    a confidence are routed, which can make a ratio exceed its target.

    A method that has confidences on one data set only has no rows, and neither has a held-out
    data set that no LLM answered.
    """
    rows: list[tuple[object, ...]] = []
    for slm, settings in by_slm(study.settings).items():
        for method in sorted({name for setting in settings for name in setting.slm.scores}):
            of_task = {s.slm.task: s for s in settings if method in s.slm.scores}
            judged = {
                task: _judged(setting.slm.scores[method], unparsed_routed)
                for task, setting in of_task.items()
            }
            parts = {
                task: setting.slm.scores[method].confidence[judged[task]]
                for task, setting in of_task.items()
                if judged[task].any()
            }
            for task, thresholds in _from_the_others(parts, targets):
                for row in _held_out(of_task[task], method, judged[task], thresholds, targets):
                    rows.append((slm, task, method, *row))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _judged(scores: Scores, unparsed_routed: bool) -> NDArray[np.bool_]:
    """Mark the rows that count for a method: those with a confidence, or all: [n]."""
    is_all = unparsed_routed and scores.known.any()
    return np.ones_like(scores.known) if is_all else scores.known


def _from_the_others(
    parts: Mapping[str, NDArray[np.float64]], targets: Sequence[float]
) -> Iterator[tuple[str, list[float]]]:
    """Yield each data set with the threshold for each target that all other data sets give."""
    if len(parts) < 2:
        return
    for task in parts:
        others = [confidence for name, confidence in parts.items() if name != task]
        pool = cuts(np.concatenate(others))
        weights = [np.full(len(confidence), 1 / len(confidence)) for confidence in others]
        shares = pool.sums(np.concatenate(weights)) / len(others)
        yield task, [_threshold(pool, shares, target) for target in targets]


def _threshold(every_cut: Cuts, shares: NDArray[np.float64], target: float) -> float:
    """Choose the largest threshold that routes at most a target share."""
    # Answers without a confidence go even under the lowest threshold.
    return float(every_cut.thresholds[max(last_within(shares, target), 0)])


def _held_out(
    setting: Setting,
    method: str,
    judged: NDArray[np.bool_],
    thresholds: Sequence[float],
    targets: Sequence[float],
) -> Iterator[tuple[object, ...]]:
    """Yield the columns after `method` of each LLM's rows, one row for each target."""
    scores = setting.slm.scores[method]
    confidence, slm = scores.confidence[judged], scores.correct[judged]
    own = cuts(confidence)
    shares = own.routed / len(confidence)
    pairs = [
        (target, given, _threshold(own, shares, target))
        for target, given in zip(targets, thresholds, strict=True)
    ]
    for name, run in setting.llms.items():
        llm = run.correct[judged]
        for target, given, at_own in pairs:
            ratio, accuracy = _routed(confidence, slm, llm, given)
            at_random = slm.mean() + ratio * (llm.mean() - slm.mean())
            own_figures = (at_own, *_routed(confidence, slm, llm, at_own))
            figures = (target, given, ratio, accuracy, *own_figures, float(at_random))
            yield (name, scores.fitted_on, *figures)


def _routed(
    confidence: NDArray[np.float64],
    slm: NDArray[np.bool_],
    llm: NDArray[np.bool_],
    threshold: float,
) -> tuple[float, float]:
    """Compute the share routed under a threshold, and the accuracy after routing."""
    kept = confidence >= threshold  # not for NaN either
    return float(1 - kept.mean()), float(np.where(kept, slm, llm).mean())
