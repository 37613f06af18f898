"""Probabilities of answers, by maps that were fitted on other rows than those that they judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.probability_map import CannotMap, ProbabilityMap, fitted_map
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun

Floats = NDArray[np.float64]

MapFrom = Literal["training rows", "cross-fitted", "other data sets"]

MOST_ROWS = 500
"""The most rows of each other data set, drawn at random, that a map is fitted on."""


class FittingData(NamedTuple):
    """The answers with a confidence that a map is fitted on.

    Attributes:
        confidence: [n], without NaN.
        correct: [n].
    """

    confidence: Floats
    correct: NDArray[np.bool_]

    @classmethod
    def of(cls, scores: Scores, among: NDArray[np.bool_]) -> FittingData:
        """Take a method's rows with a confidence, among those that are marked: [n]."""
        rows = among & scores.known
        return cls(scores.confidence[rows], scores.correct[rows])

    @classmethod
    def joined(cls, parts: Sequence[FittingData]) -> FittingData:
        """Join the rows of several data sets."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Mapped(NamedTuple):
    """The probabilities of a method's answers.

    Attributes:
        probability: [n]; NaN where there is no confidence, and everywhere without a map.
        map_from: the rows that the maps were fitted on; they are never those that they map.
        kind: the kinds of the maps, with commas between; "" without a map.
        rows: the number of rows that a map was fitted on; the mean over several maps.
    """

    probability: Floats
    map_from: MapFrom
    kind: str
    rows: float


def training_data(
    setting: Setting, method: str, judged_too: Sequence[TaskRun] = ()
) -> FittingData | None:
    """Take a method's training rows, without questions that are among the rows to judge.

    Args:
        setting: the SLM on the data set.
        method: the method.
        judged_too: further runs whose rows are judged.

    Returns:
        The rows; None if the method has no confidence among them.
    """
    run = setting.training
    if run is None or method not in run.scores or not run.scores[method].known.any():
        return None
    seen = run.asks_as(setting.slm)
    for other in judged_too:
        seen |= run.asks_as(other)
    return FittingData.of(run.scores[method], ~seen)


def mapped_at_home(setting: Setting, method: str, halves: NDArray[np.int64], seed: int) -> Mapped:
    """Map a method's confidences by its own data set: by training rows, or else cross-fitted.

    Without training rows, the rows to judge are halved, and each half is mapped by a map that was
    fitted on the other half.

    Args:
        setting: the SLM on the data set.
        method: the method.
        halves: [n]: the half of each row, 0 or 1.
        seed: the seed of the maps.
    """
    scores = setting.slm.scores[method]
    learned = training_data(setting, method)
    if learned is not None:
        return _by_one_map(scores.confidence, learned, "training rows", seed)
    probability = np.full(len(scores.confidence), np.nan)
    maps: list[ProbabilityMap] = []
    for half in (0, 1):
        fitted = _map(FittingData.of(scores, halves != half), seed)
        if fitted is None:
            return _unmapped(len(probability), "cross-fitted")
        there = halves == half
        probability[there] = fitted(scores.confidence[there])
        maps.append(fitted)
    kinds = sorted({fitted.kind for fitted in maps})
    rows = float(np.mean([fitted.rows for fitted in maps]))
    return Mapped(probability, "cross-fitted", ", ".join(kinds), rows)


class OtherRows(NamedTuple):
    """The rows of another data set that maps may be fitted on.

    Attributes:
        run: a run of the SLM there: on training rows, or on the rows that are judged there.
        rows: [n], bool: marks those whose question is not among the rows to judge here.
    """

    run: TaskRun
    rows: NDArray[np.bool_]


def other_rows(judged: TaskRun, others: Iterable[Setting]) -> list[list[OtherRows]]:
    """List the runs on each other data set, training rows first, without questions to judge."""
    runs = ([other.training, other.slm] for other in others)
    return [
        [OtherRows(run, ~run.asks_as(judged)) for run in of_one if run is not None]
        for of_one in runs
    ]


def mapped_from_elsewhere(
    setting: Setting, others: Iterable[Sequence[OtherRows]], method: str, seed: int
) -> Mapped | None:
    """Map a method's confidences by a map that never saw their data set.

    It is fitted on the other data sets: on their training rows where these have confidences, or
    else on the rows that are judged there; on 500 rows of each at most, and each data set counts
    the same.

    Args:
        setting: the SLM on the data set to judge.
        others: what `other_rows` lists for it.
        method: the method.
        seed: the seed of the draw and of the map.

    Returns:
        The probabilities; None if there is no other data set with confidences of the method.
    """
    draw = np.random.default_rng(seed)
    parts: list[FittingData] = []
    for other in others:
        part = _elsewhere(other, method)
        if part is None or not len(part.correct):
            continue
        chosen = draw.permutation(len(part.correct))[:MOST_ROWS]
        parts.append(FittingData(part.confidence[chosen], part.correct[chosen]))
    if not parts:
        return None
    weight = np.concatenate([np.full(len(part.correct), 1 / len(part.correct)) for part in parts])
    pooled = FittingData.joined(parts)
    confidence = setting.slm.scores[method].confidence
    return _by_one_map(confidence, pooled, "other data sets", seed, weight)


def shuffled_questions(run: TaskRun, seed: int) -> NDArray[np.int64]:
    """Give the questions of a run numbers in random order, from 0: [n], one for each question."""
    _, group = np.unique(run.question_key, return_inverse=True)
    place = np.random.default_rng(seed).permutation(int(group.max(initial=-1)) + 1)
    number: NDArray[np.int64] = place[group]
    return number


def halves_of(run: TaskRun, seed: int) -> NDArray[np.int64]:
    """Halve the rows of a run at random, so that the same question is in one half: [n], 0 or 1."""
    return shuffled_questions(run, seed) % 2


def _elsewhere(runs: Sequence[OtherRows], method: str) -> FittingData | None:
    """Take the rows of the first run on another data set with confidences of a method."""
    for run, rows in runs:
        if method in run.scores and run.scores[method].known.any():
            return FittingData.of(run.scores[method], rows)
    return None


def _by_one_map(
    confidence: Floats,
    data: FittingData,
    map_from: MapFrom,
    seed: int,
    weight: Floats | None = None,
) -> Mapped:
    """Map confidences by one map, if it can be fitted."""
    fitted = _map(data, seed, weight)
    if fitted is None:
        return _unmapped(len(confidence), map_from)
    return Mapped(fitted(confidence), map_from, fitted.kind, float(fitted.rows))


def _map(data: FittingData, seed: int, weight: Floats | None = None) -> ProbabilityMap | None:
    """Fit a map; return None if the rows do not allow it."""
    try:
        return fitted_map(data.confidence, data.correct, weight, seed)
    except CannotMap:
        return None


def _unmapped(n: int, map_from: MapFrom) -> Mapped:
    """Make the result for answers that no map can be fitted for."""
    return Mapped(np.full(n, np.nan), map_from, "", 0.0)
