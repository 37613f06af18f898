"""Promises, held against sources of questions whose true accuracy is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from slmroute_plugin.analysis.calibration.guarantees import kept_accuracy_at_least, ratio_at_most

SPLITS = 1000
# A failure rate of 5% would show as 6.1% or less in 95% of simulations; 5% it may not exceed here.
ALLOWED = 0.05

Array = NDArray[np.float64]


class Population:
    """A finite set of answers, of which some are for calibration and all others for the test."""

    def __init__(self, confidence: Array, correct: NDArray[np.bool_]) -> None:
        self.confidence = confidence
        self.correct = correct

    def split(self, rows: int, draw: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
        order = draw.permutation(len(self.confidence))
        return order[:rows], order[rows:]


def population(
    accuracy: Callable[[Array], Array], rounded: bool = False, unknown: float = 0.1
) -> Population:
    draw = np.random.default_rng(7)
    confidence = draw.beta(3, 1, size=20_000)
    correct = draw.random(20_000) < accuracy(confidence)
    if rounded:
        confidence = np.round(confidence, 1)
    confidence[draw.random(20_000) < unknown] = np.nan
    return Population(confidence, correct)


@pytest.mark.parametrize(
    ("source", "promise"),
    [
        (population(lambda c: 0.5 + 0.5 * c), 0.9),
        (population(lambda c: 0.5 + 0.5 * c, rounded=True), 0.9),
        (population(lambda c: np.where(c > 0.9, 0.6, 0.85)), 0.8),
        (population(lambda c: np.full(c.shape, 0.79)), 0.8),
    ],
    ids=["rising", "ties", "overconfident", "hopeless"],
)
def test_kept_answers_are_as_good_as_promised_but_for_5_percent_of_1000_splits(
    source: Population, promise: float
) -> None:
    draw = np.random.default_rng(0)
    failures = made = 0
    for split in range(SPLITS):
        rows, test = source.split(600, draw)
        found = kept_accuracy_at_least(
            source.confidence[rows], source.correct[rows], promise, 0.95, seed=split
        )
        if found.threshold is not None:
            made += 1
            kept = source.confidence[test] >= found.threshold
            failures += source.correct[test][kept].mean() < promise
    assert failures / SPLITS <= ALLOWED
    # The procedure is no use if it dares nothing: where it can, it mostly does.
    best_possible = max(
        source.correct[source.confidence >= t].mean() for t in np.linspace(0, 0.9, 10)
    )
    assert made >= 300 if best_possible > promise + 0.03 else made <= 100


@pytest.mark.parametrize("rounded", [False, True])
def test_the_call_rate_is_as_promised_but_for_5_percent_of_1000_splits(rounded: bool) -> None:
    source = population(lambda c: c, rounded)
    draw = np.random.default_rng(1)
    failures = 0
    for _ in range(SPLITS):
        rows, test = source.split(400, draw)
        found = ratio_at_most(source.confidence[rows], 0.4, 0.95)
        assert found.threshold is not None
        failures += (~(source.confidence[test] >= found.threshold)).mean() > 0.4
    assert failures / SPLITS <= ALLOWED
    if not rounded:
        assert failures / SPLITS > 0.005  # no more cautious than it has to be


def test_a_ratio_by_hand() -> None:
    # Of 100 answers, Pr(Bin(100, 0.3) ≤ k) is 0.0479 for k = 22, and 0.0755 for k = 23.
    confidence = (np.arange(100) + 0.5) / 100
    assert binom.cdf(22, 100, 0.3) < 0.05 < binom.cdf(23, 100, 0.3)
    found = ratio_at_most(confidence, 0.3, 0.95)
    assert found.threshold == pytest.approx(0.22)
    # None of 100: the exact upper bound is 1 − 0.05^(1/100).
    assert found.best == pytest.approx(1 - 0.05**0.01)
    assert found.tested_on == 100


def test_a_ratio_below_the_best_cannot_be_promised_and_the_best_can() -> None:
    confidence = np.r_[np.full(10, np.nan), np.linspace(0.1, 0.9, 90)]
    best = ratio_at_most(confidence, 0.1, 0.9).best
    assert best == pytest.approx(
        binomtest(10, 100).proportion_ci(0.8, "exact").high
    )  # one-sided 0.9
    assert ratio_at_most(confidence, best - 1e-6, 0.9).threshold is None
    assert ratio_at_most(confidence, best + 1e-6, 0.9).threshold == 0


def test_everything_may_be_routed() -> None:
    assert ratio_at_most(np.array([0.2, 0.8]), 1.0, 0.95).threshold == np.inf
    assert ratio_at_most(np.ones(3), 1.0, 0.95).threshold == np.inf
    assert ratio_at_most(np.full(3, np.nan), 0.5, 0.95) == (None, 1.0, 3)


def test_the_best_accuracy_can_be_promised_and_no_better_one() -> None:
    draw = np.random.default_rng(3)
    confidence = draw.random(500)
    correct = draw.random(500) < confidence
    best = kept_accuracy_at_least(confidence, correct, 0.5, 0.95).best
    assert 0.5 < best < 1
    assert kept_accuracy_at_least(confidence, correct, best - 1e-6, 0.95).threshold is not None
    assert kept_accuracy_at_least(confidence, correct, best + 1e-6, 0.95).threshold is None


def test_four_hundred_right_answers_by_hand() -> None:
    # The tests see 320 of them: the bound is 0.05^(1/320), and all may be kept up to there.
    found = kept_accuracy_at_least(np.linspace(0.2, 0.8, 400), np.ones(400, bool), 0.99, 0.95)
    assert found.threshold == 0
    assert found.tested_on == 320
    assert found.best == pytest.approx(0.05 ** (1 / 320))


def test_promises_are_the_same_for_the_same_seed_and_rows() -> None:
    draw = np.random.default_rng(3)
    confidence = draw.random(300)
    correct = draw.random(300) < 0.5 + confidence / 2
    once = kept_accuracy_at_least(confidence, correct, 0.8, 0.9, seed=4)
    assert kept_accuracy_at_least(confidence, correct, 0.8, 0.9, seed=4) == once


@pytest.mark.parametrize("rows", [0, 1, 4, 20])
def test_few_or_unknown_answers_promise_nothing(rows: int) -> None:
    for confidence in (np.full(rows, 0.5), np.full(rows, np.nan)):
        found = kept_accuracy_at_least(confidence, np.ones(rows, bool), 0.9, 0.95)
        assert found.threshold is None


def test_only_wrong_answers_promise_nothing() -> None:
    found = kept_accuracy_at_least(np.linspace(0, 1, 50), np.zeros(50, bool), 0.1, 0.95)
    assert found.threshold is None
    assert found.best == 0
