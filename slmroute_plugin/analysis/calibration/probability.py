"""The calibration of a method's confidences as probabilities, on rows of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.calibration.selection import Selection
from slmroute_plugin.analysis.measures.bootstrap_areas import Interval, resampled_counts
from slmroute_plugin.analysis.measures.calibration import (
    Calibration,
    calibration,
    intervals,
    resampled_calibration,
)
from slmroute_plugin.analysis.measures.mapped import FittingData, shuffled_questions, training_data
from slmroute_plugin.analysis.measures.probability_map import CannotMap, ProbabilityMap, fitted_map
from slmroute_plugin.analysis.study.runs import Setting, TaskRun
from slmroute_plugin.storage.probability_file import ProbabilityFile

LearnedFrom = Literal["training rows", "a split"]

RESAMPLES = 1000
_STEPS = 60


class TaskRows(NamedTuple):
    """The rows of one task that a map is fitted on, and those that it is judged on.

    Attributes:
        learned_from: whether the former are training rows, or a split of the evaluation rows.
        fitted: the former.
        judged: the latter.
    """

    learned_from: LearnedFrom
    fitted: FittingData
    judged: FittingData


class Errors(NamedTuple):
    """The errors of probabilities, and the 95% interval of each by its name."""

    values: Calibration
    intervals: Mapping[str, Interval]


class CalibratedProbability(NamedTuple):
    """A map that was fitted, and what it does to rows that it was not fitted on.

    Attributes:
        map: the map.
        rows: the rows of each task.
        before: the errors of the confidences as they are, on the rows to judge.
        after: the errors of the mapped confidences, on the same rows.
    """

    map: ProbabilityMap
    rows: Mapping[str, TaskRows]
    before: Errors
    after: Errors


def calibrate_probability(
    selection: Selection, share: float = 0.5, seed: int = 0
) -> CalibratedProbability:
    """Fit a map to the chosen tasks together, and judge it on rows that it was not fitted on.

    A task whose training rows have confidences of the method is learned from these, and judged on
    all its evaluation rows. Of other tasks a share of the evaluation rows is for learning, drawn at
    random, and the others are judged; rows with the same question are not parted. Each row counts
    once.

    Args:
        selection: the tasks and the method.
        share: the share of the evaluation rows to learn from, in (0, 1).
        seed: the seed of the split, of the map and of the resamples.

    Raises:
        CannotMap: there are too few rows to fit a map on, or none to judge it on.
    """
    rows = {
        setting.slm.task: _rows_of(setting, selection, share, seed)
        for setting in selection.settings
    }
    fitted = FittingData.joined([of_task.fitted for of_task in rows.values()])
    judged = FittingData.joined([of_task.judged for of_task in rows.values()])
    probability_map = fitted_map(fitted.confidence, fitted.correct, seed=seed)
    if not len(judged.correct):
        raise CannotMap("no rows are left to judge the map on")
    counts = resampled_counts(len(judged.correct), RESAMPLES, np.random.default_rng(seed))
    return CalibratedProbability(
        probability_map,
        rows,
        _errors(judged.confidence, judged.correct, counts),
        _errors(probability_map(judged.confidence), judged.correct, counts),
    )


def has_own_answers(selection: Selection) -> bool:
    """Tell whether a method's confidences are in other answers than those that are kept."""
    return any(
        not np.array_equal(setting.slm.scores[selection.method].correct, setting.slm.correct)
        for setting in selection.settings
    )


def least_confidence(probability_map: ProbabilityMap, probability: float) -> float | None:
    """Find the least confidence that is mapped to a probability or more, to 10⁻¹⁵.

    Returns:
        A confidence in [0, 1]; None if none is mapped that high.
    """

    def is_enough(confidence: float) -> bool:
        return float(probability_map(np.array([confidence]))[0]) >= probability

    if not is_enough(1.0):
        return None
    if is_enough(0.0):
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def probability_file(
    selection: Selection, calibrated: CalibratedProbability, share: float, seed: int
) -> ProbabilityFile:
    """Make the content of the file of a map."""
    fitted = calibrated.map
    provenance: dict[str, Any] = {
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "slmroute": version("slmroute"),
        "runs": [str(path) for path in _paths(selection, calibrated)],
        "tasks": {
            task: {
                "learned_from": rows.learned_from,
                "rows_fitted": len(rows.fitted.correct),
                "rows_judged": len(rows.judged.correct),
            }
            for task, rows in calibrated.rows.items()
        },
        "share": share,
        "seed": seed,
        "cross_validated_log_loss": dict(fitted.log_loss),
        "before": _in_json(calibrated.before),
        "after": _in_json(calibrated.after),
    }
    if selection.fitted_on:
        provenance["fitted_on"] = selection.fitted_on
    return ProbabilityFile(
        method=selection.method,
        slm=selection.slm,
        kind=fitted.kind,
        rows=fitted.rows,
        slope=fitted.slope,
        bias=fitted.bias,
        corners=[
            (float(confidence), float(probability)) for confidence, probability in fitted.corners
        ],
        provenance=provenance,
    )


def _rows_of(setting: Setting, selection: Selection, share: float, seed: int) -> TaskRows:
    """Choose the rows of a task to fit on, and those to judge.

    No row is fitted on whose question is judged, in this task or in another that was chosen.
    """
    scores = setting.slm.scores[selection.method]
    others = [other.slm for other in selection.settings if other is not setting]
    learned = training_data(setting, selection.method, others)
    if learned is not None:
        return TaskRows("training rows", learned, FittingData.of(scores, scores.known))
    chosen = _share_of(setting.slm, share, seed)
    elsewhere = np.zeros(len(chosen), dtype=bool)
    for other in others:
        elsewhere |= setting.slm.asks_as(other)
    return TaskRows(
        "a split",
        FittingData.of(scores, chosen & ~elsewhere),
        FittingData.of(scores, ~chosen),
    )


def _share_of(run: TaskRun, share: float, seed: int) -> NDArray[np.bool_]:
    """Mark a share of a run's questions, drawn at random: [n]."""
    number = shuffled_questions(run, seed)
    return np.asarray(number < round(share * (number.max(initial=-1) + 1)))


def _errors(
    probability: NDArray[np.float64],
    correct: NDArray[np.bool_],
    counts: Sequence[NDArray[np.float32]],
) -> Errors:
    """Compute the errors of probabilities, with intervals."""
    values = calibration(probability, correct)
    return Errors(values, intervals(values, resampled_calibration(probability, correct, counts)))


def _paths(selection: Selection, calibrated: CalibratedProbability) -> list[Any]:
    """List the sample files that were used."""
    trained = [
        setting.training.path
        for setting in selection.settings
        if setting.training and calibrated.rows[setting.slm.task].learned_from == "training rows"
    ]
    return [*selection.paths, *trained]


def _in_json(errors: Errors) -> dict[str, dict[str, float]]:
    """Turn errors and their intervals into JSON."""
    return {
        name: {"value": float(value), **errors.intervals[name]._asdict()}
        for name, value in errors.values._asdict().items()
    }
