"""Maps from confidence to probability: scikit-learn's, which never fall and never say 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from slmroute_plugin.analysis.measures.probability_map import (
    KINDS,
    CannotMap,
    fitted_map,
    isotonic_map,
    log_losses,
    platt_map,
)

Floats = NDArray[np.float64]


def made(n: int, seed: int = 0, curve: float = 1.0) -> tuple[Floats, NDArray[np.bool_]]:
    """Confidences, and answers that are right with a probability of confidence ** curve."""
    draw = np.random.default_rng(seed)
    confidence = draw.random(n)
    return confidence, draw.random(n) < confidence**curve


def test_platt_is_a_logistic_regression_on_logits() -> None:
    confidence, correct = made(300, curve=2)
    weight = np.random.default_rng(1).random(300) + 0.5
    ours = platt_map(confidence, correct, weight)
    logits = np.log(confidence / (1 - confidence))[:, None]
    theirs = LogisticRegression(C=1e8, max_iter=1000, tol=1e-10)
    theirs.fit(logits, correct, sample_weight=weight)
    expected = np.clip(theirs.predict_proba(logits)[:, 1], 1 / 302, 301 / 302)
    np.testing.assert_allclose(ours(confidence), expected, atol=1e-5)


def test_isotonic_is_scikit_learns_within_what_the_rows_can_show() -> None:
    confidence, correct = made(300, curve=2)
    weight = np.random.default_rng(1).random(300) + 0.5
    theirs = IsotonicRegression(out_of_bounds="clip").fit(confidence, correct, weight)
    new = np.linspace(0, 1, 500)
    expected = np.clip(theirs.predict(new), 1 / 302, 301 / 302)
    ours = isotonic_map(confidence, correct, weight)(new)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_log_losses_are_scikit_learns_even_for_certain_errors() -> None:
    probability = np.array([0.2, 0.9, 1.0, 0.0, 1.0])
    correct = np.array([False, True, False, True, True])
    assert log_losses(probability, correct).mean() == pytest.approx(log_loss(correct, probability))


def test_the_kind_with_the_lower_cross_validated_loss_is_chosen() -> None:
    straight = fitted_map(*made(2000))
    assert straight.kind == "platt"
    confidence = np.random.default_rng(0).random(2000)
    # Three steps: no sigmoid of the logit fits.
    steps = np.select([confidence < 0.4, confidence < 0.6], [0.1, 0.5], 0.55)
    stepped = fitted_map(confidence, np.random.default_rng(1).random(2000) < steps)
    assert stepped.kind == "isotonic"
    for fitted in (straight, stepped):
        assert set(fitted.log_loss) == set(KINDS)
        assert fitted.log_loss[fitted.kind] == min(fitted.log_loss.values())


def test_true_probabilities_stay_nearly_as_they_are() -> None:
    grid = np.linspace(0.02, 0.98, 97)
    assert np.abs(fitted_map(*made(50_000))(grid) - grid).max() < 0.02


def test_a_map_recovers_the_probability_behind_a_distorted_confidence() -> None:
    confidence, correct = made(50_000, curve=3)
    grid = np.linspace(0.05, 0.95, 91)
    assert np.abs(fitted_map(confidence, correct)(grid) - grid**3).max() < 0.05


def test_confidence_that_points_the_wrong_way_becomes_the_share_of_right_answers() -> None:
    confidence, correct = made(500)
    mapped = platt_map(1 - confidence, correct, np.ones(500))(np.array([0.0, 0.5, 1.0]))
    assert mapped == pytest.approx([correct.mean()] * 3)


def test_weights_count_rows_as_often() -> None:
    confidence, correct = made(60)
    twice = np.arange(60) < 30
    weight = 1.0 + twice
    again = np.concatenate([np.arange(60), np.flatnonzero(twice)])
    new = np.linspace(0.05, 0.95, 19)
    weighted = isotonic_map(confidence, correct, weight)(new)
    repeated = isotonic_map(confidence[again], correct[again], np.ones(90))(new)
    inside = (weighted > 1 / 62) & (weighted < 61 / 62)
    np.testing.assert_allclose(weighted[inside], repeated[inside], atol=1e-9)


@pytest.mark.parametrize(("n", "right"), [(19, 9), (40, 4), (40, 36), (0, 0)])
def test_too_few_rows_are_refused(n: int, right: int) -> None:
    with pytest.raises(CannotMap, match=f"{n} rows with a confidence, {right} of them right"):
        fitted_map(np.linspace(0, 1, n), np.arange(n) < right)


@st.composite
def answers(draw: Any) -> tuple[Floats, NDArray[np.bool_]]:
    """Answers of any kind that a map can be fitted on, ties and certainties among them."""
    n = draw(st.integers(20, 60))
    levels = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    confidence = draw(st.lists(levels, min_size=n, max_size=n))
    right = draw(st.integers(5, n - 5))
    order = draw(st.permutations(range(n)))
    return np.asarray(confidence), np.asarray(order) < right


@settings(max_examples=40)
@given(answers())
def test_every_map_never_falls_and_stays_within_what_the_rows_can_show(
    given_answers: tuple[Floats, NDArray[np.bool_]],
) -> None:
    confidence, correct = given_answers
    new = np.concatenate([np.linspace(0, 1, 101), confidence])
    new.sort()
    least = 1 / (len(correct) + 2)
    for fitted in (
        fitted_map(confidence, correct),
        platt_map(confidence, correct, np.ones(len(correct))),
        isotonic_map(confidence, correct, np.ones(len(correct))),
    ):
        mapped = fitted(new)
        assert (np.diff(mapped) >= -1e-12).all()
        assert ((mapped >= least) & (mapped <= 1 - least)).all()
    assert np.isnan(fitted(np.array([np.nan]))).all()
