"""ECE, Brier score and log-loss of rows and resamples, and reliability diagrams."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from slmroute_plugin.analysis.measures.bootstrap_areas import resampled_counts
from slmroute_plugin.analysis.measures.calibration import (
    calibration,
    intervals,
    reliability,
    resampled_calibration,
)

Floats = NDArray[np.float64]


def made(n: int, seed: int = 0) -> tuple[Floats, NDArray[np.bool_]]:
    draw = np.random.default_rng(seed)
    probability = draw.random(n)
    return probability, draw.random(n) < probability**2


def expected_ece(probability: Floats, correct: NDArray[np.bool_]) -> float:
    """The definition, bin by bin."""
    total = 0.0
    for low in range(15):
        there = np.floor(np.minimum(probability * 15, 14.999999)) == low
        if there.any():
            total += there.sum() * abs(correct[there].mean() - probability[there].mean())
    return total / len(correct)


def test_errors_are_scikit_learns_and_the_definitions() -> None:
    probability, correct = made(500)
    errors = calibration(probability, correct)
    assert errors.brier == pytest.approx(brier_score_loss(correct, probability))
    assert errors.log_loss == pytest.approx(log_loss(correct, probability))
    assert errors.ece == pytest.approx(expected_ece(probability, correct))
    assert all(np.isnan(calibration(np.empty(0), np.empty(0, bool))))


def test_each_resample_has_the_errors_of_its_rows() -> None:
    probability, correct = made(60)
    probability[:3] = [0.0, 1.0, 1.0]
    counts = resampled_counts(60, 130, np.random.default_rng(0))
    resampled = resampled_calibration(probability, correct, counts)
    every = np.concatenate(counts, axis=1).astype(int)
    for column in (0, 99, 129):
        rows = np.repeat(np.arange(60), every[:, column])
        expected = calibration(probability[rows], correct[rows])
        found = [values[column] for values in resampled]
        assert found == pytest.approx(list(expected), rel=1e-5)
    assert [len(values) for values in resampled_calibration(probability, correct, [])] == [0] * 3


def test_intervals_hold_their_value_and_cover_the_true_one() -> None:
    # Probabilities squared are the truth: its Brier score and log-loss are integrals over [0, 1].
    truth = 1 / 3 - 2 / 4 + 1 / 3
    covered = 0
    for seed in range(100):
        probability, correct = made(300, seed)
        values = calibration(probability, correct)
        counts = resampled_counts(300, 200, np.random.default_rng(seed))
        ends = intervals(values, resampled_calibration(probability, correct, counts))
        for name, value in values._asdict().items():
            assert ends[name].low <= value <= ends[name].high
        covered += ends["brier"].low <= truth <= ends["brier"].high
    assert 88 <= covered <= 100


def test_a_reliability_diagram_is_scikit_learns() -> None:
    probability, correct = made(400)
    drawn = reliability(probability, correct)
    accuracy, confidence = calibration_curve(correct, probability, n_bins=15)
    np.testing.assert_allclose(drawn.accuracy, accuracy)
    np.testing.assert_allclose(drawn.confidence, confidence)
    assert drawn.n.sum() == 400
    for place in (0, 7, 14):
        n = int(drawn.n[place])
        right = round(float(drawn.accuracy[place] * n))
        exact = binomtest(right, n).proportion_ci(0.95, "exact")
        assert (drawn.low[place], drawn.high[place]) == pytest.approx((exact.low, exact.high))


def test_an_empty_bin_has_no_share() -> None:
    drawn = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert drawn.n.tolist() == [1, *[0] * 13, 1]
    assert np.isnan(drawn.accuracy[1:14]).all()
    assert drawn.low[0] == 0
    assert drawn.high[14] == 1
