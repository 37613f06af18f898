"""Alignment figures against scikit-learn, hand-worked cases and their own definitions."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from slmroute_plugin.analysis.measures.alignment import (
    alignment,
    auprc_score,
    auroc_score,
    brier_score,
    calibration_error,
    prr_score,
)

# Few different values, so that ties are the rule.
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.3, 0.75, 1.0]), st.booleans()), min_size=1, max_size=30
)


def columns(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    confidence, correct = zip(*rows, strict=True)
    return np.array(confidence, dtype=float), np.array(correct, dtype=bool)


@settings(deadline=None)
@given(ROWS)
def test_areas_and_brier_are_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    confidence, correct = columns(rows)
    if correct.all() or not correct.any():
        assert isnan(auroc_score(confidence, correct))
        assert isnan(auprc_score(confidence, correct))
    else:
        assert auroc_score(confidence, correct) == pytest.approx(
            roc_auc_score(correct, confidence), abs=1e-12
        )
        assert auprc_score(confidence, correct) == pytest.approx(
            average_precision_score(correct, confidence), abs=1e-12
        )
        assert brier_score(confidence, correct) == pytest.approx(
            brier_score_loss(correct, confidence), abs=1e-12
        )


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_neither_row_order_nor_scale_changes_a_ranking_figure(
    rows: list[tuple[float, bool]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    confidence, correct = columns(rows)
    for score in (auroc_score, auprc_score, prr_score):
        expected = score(confidence, correct)
        assert score(*columns(shuffled)) == pytest.approx(expected, nan_ok=True, abs=1e-12)
        assert score(confidence**3 / 2, correct) == pytest.approx(expected, nan_ok=True, abs=1e-12)


@settings(deadline=None)
@given(ROWS)
def test_duplicated_rows_change_nothing_but_the_rejection_of_single_rows(
    rows: list[tuple[float, bool]],
) -> None:
    once, twice = columns(rows), columns(rows + rows)
    for score in (auroc_score, auprc_score, calibration_error, brier_score):
        assert score(*twice) == pytest.approx(score(*once), nan_ok=True, abs=1e-12)


def by_brute_force(confidence: list[float], correct: list[bool]) -> float:
    """PRR, as the mean over every order that sorts the confidences."""
    n = len(correct)

    def area(order: tuple[int, ...]) -> float:
        return float(np.mean([np.mean([correct[i] for i in order[:k]]) for k in range(1, n + 1)]))

    surest_first = [
        area(order)
        for order in permutations(range(n))
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order))
    ]
    best = max(area(order) for order in permutations(range(n)))
    chance = float(np.mean([area(order) for order in permutations(range(n))]))
    return (float(np.mean(surest_first)) - chance) / (best - chance)


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [
        ([0.9, 0.5, 0.5, 0.1], [True, False, True, False]),
        ([0.2, 0.2, 0.2, 0.9, 0.9], [True, False, False, False, True]),
        ([0.5, 0.5, 0.5], [True, False, True]),
    ],
)
def test_prr_is_its_definition_averaged_over_every_order_of_ties(
    confidence: list[float], correct: list[bool]
) -> None:
    assert prr_score(np.array(confidence), np.array(correct)) == pytest.approx(
        by_brute_force(confidence, correct), abs=1e-12
    )


def test_prr_is_one_for_a_perfect_order_and_zero_for_none() -> None:
    correct = np.array([True, True, False, False])
    assert prr_score(np.array([0.9, 0.8, 0.2, 0.1]), correct) == pytest.approx(1)
    assert prr_score(np.full(4, 0.5), correct) == pytest.approx(0)


def test_calibration_error_by_hand() -> None:
    # Bins of a fifteenth: {0.95, 0.99} holds one right of two, {0.5} one right, {1.0} goes
    # into the last bin, with 0.95 and 0.99.
    confidence = np.array([0.95, 0.99, 1.0, 0.5])
    correct = np.array([True, False, True, True])
    last = abs(2 - (0.95 + 0.99 + 1.0)) / 4
    assert calibration_error(confidence, correct) == pytest.approx(last + 0.5 / 4)


def test_without_answers_nothing_is_defined() -> None:
    found = alignment(np.empty(0), np.empty(0, dtype=bool))
    assert all(np.isnan(figure) for figure in found)
