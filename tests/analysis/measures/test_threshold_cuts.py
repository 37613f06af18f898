"""Thresholds, and what each routes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.measures.threshold_cuts import cuts, last_within
from slmroute_plugin.routing.policy import Threshold

CONFIDENCES = st.lists(
    st.none() | st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0, np.nextafter(0.5, 1)]),
    min_size=1,
    max_size=30,
)


def test_a_worked_case() -> None:
    found = cuts(np.array([0.9, 0.5, np.nan, 0.5, 1.0]))
    np.testing.assert_allclose(found.thresholds, [0, 0.7, 0.95, np.inf])
    assert found.routed.tolist() == [1, 3, 4, 5]
    assert found.sums(np.array([1, 2, 4, 8, 16])).tolist() == [4, 14, 15, 31]


@given(CONFIDENCES)
def test_a_live_run_routes_what_a_cut_says(confidences: list[float | None]) -> None:
    found = cuts(np.array(confidences, np.float64))
    within = (found.thresholds >= 0) & (found.thresholds <= 1)
    assert (within | (found.thresholds == np.inf)).all()
    assert found.routed[-1] == len(confidences)
    for threshold, routed in zip(found.thresholds, found.routed, strict=True):
        decided = Threshold(threshold).decide(confidences, [b""] * len(confidences))
        assert sum(decided) == routed


@given(CONFIDENCES, st.floats(0, 1))
def test_every_threshold_routes_as_one_of_the_cuts(
    confidences: list[float | None], threshold: float
) -> None:
    decided = Threshold(threshold).decide(confidences, [b""] * len(confidences))
    assert sum(decided) in cuts(np.array(confidences, np.float64)).routed


@given(CONFIDENCES)
def test_sums_are_over_what_is_routed(confidences: list[float | None]) -> None:
    values = np.arange(1.0, len(confidences) + 1)
    found = cuts(np.array(confidences, np.float64))
    for threshold, total in zip(found.thresholds, found.sums(values), strict=True):
        decided = Threshold(threshold).decide(confidences, [b""] * len(confidences))
        assert total == values[decided].sum()


def test_a_limit_may_be_met_exactly_in_spite_of_rounding() -> None:
    assert last_within(np.cumsum(np.full(10, 0.1)), 0.3) == 2
    assert last_within(np.array([0.2, 0.5]), 0.1) == -1
