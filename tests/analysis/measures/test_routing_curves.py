"""Routing curves and their summaries: hand-worked, by brute force, and by properties."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.analysis.measures.bootstrap_areas import Routable, areas
from slmroute_plugin.analysis.measures.curve_summary import (
    average_improvement,
    first_crossing,
    mean_call_rate,
    summary,
)
from slmroute_plugin.analysis.measures.routing_curves import (
    Curve,
    oracle_curve,
    random_curve,
    ranking,
    routing_curve,
)

ROW = st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan]), st.booleans(), st.booleans())
ROWS = st.lists(ROW, min_size=1, max_size=25)


def curve_of(rows: list[tuple[float, bool, bool]], cost: float = 1.0) -> Curve:
    confidence, slm, llm = (np.array(column) for column in zip(*rows, strict=True))
    return routing_curve(ranking(confidence), slm, llm, np.full(len(rows), cost))


def straight(*points: tuple[float, float]) -> Curve:
    ratio, accuracy = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    return Curve(ratio, accuracy, ratio * 2, ratio)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_ties_are_the_mean_over_every_order(rows: list[tuple[float, bool, bool]]) -> None:
    n = len(rows)
    sure = [-1.0 if isnan(row[0]) else row[0] for row in rows]
    orders = [
        order
        for order in permutations(range(n))
        if all(sure[a] <= sure[b] for a, b in pairwise(order))
    ]
    expected = [
        np.mean([sum(rows[i][2] for i in o[:k]) + sum(rows[i][1] for i in o[k:]) for o in orders])
        / n
        for k in range(n + 1)
    ]
    np.testing.assert_allclose(curve_of(rows).at(np.arange(n + 1) / n), expected, atol=1e-12)


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_rows_and_the_scale_of_confidence_change_nothing(
    rows: list[tuple[float, bool, bool]], random: object
) -> None:
    ratios = np.linspace(0, 1, 13)
    expected = curve_of(rows).at(ratios)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_allclose(curve_of(shuffled).at(ratios), expected, atol=1e-12)
    squeezed = [(c**2 / 3, s, m) for c, s, m in rows]
    np.testing.assert_allclose(curve_of(squeezed).at(ratios), expected, atol=1e-12)
    np.testing.assert_allclose(curve_of(rows + rows).at(ratios), expected, atol=1e-12)


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_nor_do_they_change_the_summaries(
    rows: list[tuple[float, bool, bool]], random: object
) -> None:
    expected = summary(curve_of(rows))
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    squeezed = [(c**2 / 3, s, m) for c, s, m in rows]
    for same in (shuffled, squeezed, rows * 3):
        found = summary(curve_of(same))
        np.testing.assert_allclose(found, expected, atol=1e-9, equal_nan=True)


@settings(deadline=None)
@given(ROWS)
def test_it_runs_from_slm_to_llm_and_never_above_the_oracle(
    rows: list[tuple[float, bool, bool]],
) -> None:
    _, slm, llm = (np.array(column) for column in zip(*rows, strict=True))
    curve, ratios = curve_of(rows), np.linspace(0, 1, 21)
    assert curve.accuracy[0] == pytest.approx(slm.mean())
    assert curve.accuracy[-1] == pytest.approx(llm.mean())
    assert (curve.at(ratios) <= oracle_curve(slm, llm, ratios) + 1e-12).all()
    assert oracle_curve(slm, llm, ratios).max() <= (slm | llm).mean() + 1e-12


@settings(deadline=None)
@given(ROWS)
def test_the_closed_form_of_the_area_is_the_area(rows: list[tuple[float, bool, bool]]) -> None:
    confidence, slm, llm = (np.array(column) for column in zip(*rows, strict=True))
    curve = curve_of(rows)
    by_ranks = areas(Routable(confidence, slm, llm[:, None]))
    assert by_ranks.area[0, 0] == pytest.approx(curve.mean(0, 1), abs=1e-12)
    assert by_ranks.area[0, 0] == pytest.approx(
        np.trapezoid(curve.accuracy, curve.ratio), abs=1e-12
    )


def test_random_routing_is_the_straight_line() -> None:
    slm, llm = np.array([True, False, False, False]), np.array([True, True, True, False])
    assert random_curve(slm, llm, np.array([0, 0.5, 1])).tolist() == [0.25, 0.5, 0.75]


def test_thresholds_route_at_least_their_share() -> None:
    rows = [(0.2, False, True), (0.2, False, True), (0.6, True, True), (0.9, True, True)]
    curve = curve_of(rows)
    at = curve.threshold_at(np.array([0.0, 0.25, 0.5, 0.51, 0.75, 1.0]))
    confidence = np.array([row[0] for row in rows])
    assert [float((confidence < one).mean()) for one in at] == [0, 0.5, 0.5, 0.75, 0.75, 1]


def test_apgr_and_cpt_by_hand() -> None:
    # From 0.4 to 0.8, the gap is 0.4. It rises to 0.8 by half of the calls, falls to 0.6, and
    # is back at 0.8 at the end.
    curve = straight((0, 0.4), (0.5, 0.8), (0.75, 0.6), (1, 0.8))
    found = summary(curve)
    assert found.area == pytest.approx(0.5 * 0.6 + 0.25 * 0.7 + 0.25 * 0.7)
    assert found.apgr == pytest.approx((0.65 - 0.4) / 0.4)
    # The first crossings, although the curve is below them again later.
    assert found.cpt_50 == pytest.approx(0.25)
    assert found.cpt_80 == pytest.approx(0.4)
    assert found.cpt_95 == pytest.approx(0.475)
    assert found.gain_over_random == pytest.approx(0.65 - 0.6)
    # At call rates of 0 to 10% accuracy goes from 0.4 to 0.48.
    assert found.lpm == pytest.approx(0.44)
    # The high band is 0.68 to 0.76: entered at 0.35, left at 0.45, crossed down from 0.55 to
    # 0.65, and up again from 0.85 to 0.95.
    assert found.hcr == pytest.approx(1 - np.mean([0.4, 0.6, 0.9]))
    assert found.mpm == pytest.approx((0.48 + 0.68) / 2)


def test_with_an_llm_that_is_no_better_there_is_no_gap_to_recover() -> None:
    found = summary(straight((0, 0.6), (0.5, 0.7), (1, 0.6)))
    assert found.area == pytest.approx(0.65)
    for name in ("apgr", "cpt_50", "cpt_80", "cpt_95", "mpm", "hcr"):
        assert isnan(getattr(found, name))


def test_what_is_never_reached_has_no_call_rate() -> None:
    curve = straight((0, 0.4), (1, 0.5))
    assert isnan(first_crossing(curve, 0.6))
    assert first_crossing(curve, 0.4) == 0
    assert isnan(mean_call_rate(curve, 0.6, 0.7))


def test_a_flat_stretch_in_the_band_counts_with_its_length() -> None:
    curve = straight((0, 0.0), (0.2, 0.8), (0.8, 0.8), (1, 1.0))
    # Enters 0.7 at 0.175, leaves 0.9 at 0.9.
    assert mean_call_rate(curve, 0.7, 0.9) == pytest.approx((0.175 + 0.9) / 2)


def hull_area(points: list[tuple[float, float]]) -> float:
    """Under the least concave, non-decreasing function above all points, by every line."""
    xs = np.linspace(min(p[0] for p in points), max(p[0] for p in points), 2001)
    best = np.full(len(xs), -np.inf)
    for x1, y1 in points:
        best = np.maximum(best, np.where(xs >= x1, y1, -np.inf))
        for x2, y2 in points:
            if x2 > x1:
                on_line = y1 + (xs - x1) / (x2 - x1) * (y2 - y1)
                best = np.maximum(best, np.where((xs >= x1) & (xs <= x2), on_line, -np.inf))
    return float(np.trapezoid(best, xs) / (xs[-1] - xs[0]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6).map(float), st.integers(0, 8).map(lambda x: x / 8)),
        min_size=2,
        max_size=8,
    )
)
def test_aiq_is_the_area_under_the_hull(points: list[tuple[float, float]]) -> None:
    cost, quality = (np.array(column) for column in zip(*points, strict=True))
    found = average_improvement(cost, quality)
    if cost.min() == cost.max():
        assert isnan(found)
    else:
        assert found == pytest.approx(hull_area(points), abs=2e-3)


def test_aiq_needs_every_price() -> None:
    assert isnan(average_improvement(np.array([0, np.nan]), np.array([0.1, 0.2])))
