"""The rows that a promise needs, against the procedures that make it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from slmroute_plugin.analysis.calibration.goals import Goal
from slmroute_plugin.analysis.calibration.guarantees import kept_accuracy_at_least, ratio_at_most
from slmroute_plugin.analysis.calibration.plan import plan, rows_for_accuracy, rows_for_ratio


@pytest.mark.parametrize(("ratio", "rate"), [(0.3, 0.2), (0.5, 0.45), (0.1, 0.0)])
def test_the_rows_of_a_ratio_are_the_fewest_with_that_power(ratio: float, rate: float) -> None:
    rows = rows_for_ratio(ratio, 0.95, rate)
    assert rows is not None

    def power(n: int) -> float:
        allowed = [k for k in range(n + 1) if binom.cdf(k, n, ratio) <= 0.05]
        return float(binom.cdf(allowed[-1], n, rate)) if allowed else 0.0

    assert power(rows) >= 0.8
    assert all(power(n) < 0.8 for n in range(max(1, rows - 30), rows))


def test_a_promise_that_is_not_true_has_no_number_of_rows() -> None:
    assert rows_for_accuracy(0.9, 0.95, 0.9) is None
    assert rows_for_ratio(0.3, 0.95, 0.31) is None


def test_as_many_rows_let_the_ratio_be_promised() -> None:
    rows = rows_for_ratio(0.5, 0.9, 0.45)
    assert rows is not None
    made = 0
    for seed in range(300):
        confidence = np.random.default_rng(seed).random(rows)
        chosen = ratio_at_most(confidence, 0.5, 0.9).threshold
        made += chosen is not None and chosen >= 0.45
    assert made / 300 == pytest.approx(0.8, abs=0.07)


def test_as_many_rows_let_the_accuracy_be_promised() -> None:
    random = np.random.default_rng(0)
    pilot = random.random(4000)
    correct = random.random(4000) < 0.95
    goal = Goal("kept_accuracy", 0.9, 0.9)
    needed = [row.rows for row in plan(pilot, correct, goal)]
    rows = needed[-1]  # where all are kept
    assert rows is not None
    made = 0
    for seed in range(200):
        draw = np.random.default_rng(seed + 1)
        confidence, right = draw.random(rows), draw.random(rows) < 0.95
        made += kept_accuracy_at_least(confidence, right, 0.9, 0.9, seed).threshold is not None
    # The sequence may start where fewer are kept, which costs some of the power.
    assert made / 200 >= 0.6
    few = kept_accuracy_at_least(confidence[:20], right[:20], 0.9, 0.9).threshold
    assert few is None


def test_the_plan_says_what_was_seen_at_each_share() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, np.nan])
    correct = np.array([True, True, True, False, True])
    rows = plan(confidence, correct, Goal("kept_accuracy", 0.5, 0.95))
    assert [(row.kept, row.value) for row in rows] == [
        (0.2, 1.0),
        (0.4, 1.0),
        (0.6, 1.0),
        (0.8, 0.75),
    ]
    # Five kept rows, a fifth of the rows kept, four fifths of the rows tested.
    assert rows[0].rows == int(np.ceil(5 / 0.2 / 0.8))
    assert plan(confidence, correct, Goal("ratio", 0.5, 0.95))[0].value == pytest.approx(0.45)
