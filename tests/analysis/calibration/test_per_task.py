"""Promises that hold on every task: how often they are broken, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slmroute_plugin.analysis.calibration.goals import Goal, GoalError
from slmroute_plugin.analysis.calibration.guarantees import ratio_at_most
from slmroute_plugin.analysis.calibration.per_task import kept_accuracy_in_each, ratio_in_each
from slmroute_plugin.analysis.calibration.thresholds import Answers, calibrate

SPLITS = 400
# Of 400 promises at 0.9, 40 may be broken; a rate of 0.1 gives more than 58 in one case of 800.
MOST_BROKEN = 58 / SPLITS


def tasks_of(*sizes: int) -> list[Any]:
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def test_a_ratio_is_broken_on_any_task_as_rarely_as_promised() -> None:
    rows = tasks_of(200, 200, 200)
    broken = 0
    for seed in range(SPLITS):
        random = np.random.default_rng(seed)
        # Task j's confidences are uniform on [0, 1 / (j + 1)], and so threshold t routes t (j + 1).
        confidence = random.random(600) / np.repeat([1, 2, 3], 200)
        chosen = ratio_in_each(confidence, rows, 0.3, 0.9)
        assert chosen.threshold is not None
        broken += 3 * chosen.threshold > 0.3
    assert 0 < broken / SPLITS <= MOST_BROKEN


def test_an_accuracy_is_broken_on_any_task_as_rarely_as_promised() -> None:
    rows = tasks_of(1500, 1500)
    broken = made = 0
    for seed in range(SPLITS):
        random = np.random.default_rng(seed)
        confidence = random.random(3000)
        # Where confidence is above t, the accuracies are (1 + t) / 2 and 0.55 + 0.45 t.
        chance = np.where(np.arange(3000) < 1500, confidence, 0.1 + 0.9 * confidence)
        correct = random.random(3000) < chance
        threshold = kept_accuracy_in_each(confidence, correct, rows, 0.8, 0.9, seed).threshold
        if threshold is not None:
            made += 1
            broken += (1 + threshold) / 2 < 0.8
    assert made > SPLITS / 2
    assert 0 < broken / SPLITS <= MOST_BROKEN


def test_the_ratios_threshold_is_the_smallest_of_the_tasks() -> None:
    random = np.random.default_rng(0)
    confidence, rows = random.random(300) ** 2, tasks_of(100, 200)
    own = [ratio_at_most(confidence[each], 0.4, 0.95).threshold for each in rows]
    assert None not in own
    assert ratio_in_each(confidence, rows, 0.4, 0.9).threshold == min(own)  # type: ignore[type-var]


def test_a_task_that_cannot_be_promised_leaves_no_threshold() -> None:
    confidence = np.concatenate((np.linspace(0, 1, 200), np.full(50, np.nan)))
    rows = tasks_of(200, 50)
    chosen = ratio_in_each(confidence, rows, 0.3, 0.9)
    assert (chosen.threshold, chosen.best) == (None, 1.0)
    correct = np.ones(250, bool)
    assert kept_accuracy_in_each(confidence, correct, rows, 0.5, 0.9).threshold is None


def test_a_goal_per_task_is_calibrated_so() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(400) / np.repeat([1, 2], 200)
    answers = Answers(confidence, random.random(400) < 0.9, tasks=tasks_of(200, 200))
    each = calibrate(answers, Goal("ratio", 0.5, 0.95, per_task=True)).threshold
    mixture = calibrate(answers, Goal("ratio", 0.5, 0.95)).threshold
    assert each is not None and mixture is not None
    assert each < mixture
    assert Goal("ratio", 0.5, 0.95, per_task=True).words.endswith("0.95 on every task")
    kept = calibrate(answers, Goal("kept_accuracy", 0.7, 0.9, per_task=True))
    assert kept.threshold is not None
    with pytest.raises(GoalError, match="--per-task goes with --guarantee"):
        Goal("ratio", 0.5, per_task=True)
