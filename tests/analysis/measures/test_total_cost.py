"""Total costs of a cascade, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.measures.routing_curves import ranking, routing_curve
from slmroute_plugin.analysis.measures.total_cost import Spent, cost_summary, median_latency

# Four questions, least sure first; the LLM puts right the first two.
CONFIDENCE = np.array([0.1, 0.2, 0.8, 0.9])
SLM = np.array([False, False, True, True])
LLM = np.array([True, True, True, True])


def spent(slm: float, method: float, llm: float = 1.0) -> Spent:
    return Spent(np.full(4, slm), np.full(4, method), np.full(4, llm))


def summary(of: Spent, llm: np.ndarray = LLM) -> tuple[float, float]:
    ranked = ranking(CONFIDENCE)
    curve = routing_curve(ranked, SLM, llm, of.llm)
    return tuple(cost_summary(curve, of, ranked.running(of.llm)))


def test_the_break_even_share_is_what_the_slm_leaves() -> None:
    assert spent(0.1, 0.15).break_even == pytest.approx(0.75)
    assert spent(0.9, 0.3).break_even == pytest.approx(-0.2)
    assert np.isnan(spent(0.1, np.nan).break_even)
    assert np.isnan(spent(0.1, 0.1, 0.0).break_even)


def test_the_area_over_free_answers_is_that_over_calls() -> None:
    # Accuracy rises from ½ to 1 over the first half of the LLM's price, and stays there.
    assert summary(spent(0.0, 0.0)) == pytest.approx((0.875, 0.125))


def test_the_area_counts_the_slm_alone_until_the_cascade_can_be_paid() -> None:
    # From 0.4 to 4 dollars: ½ to 0.8, up to 1 at 2.8, and 1 until the LLM alone costs as much.
    area = (0.4 * 0.5 + 2.0 * 0.75 + 1.2 * 1.0) / 3.6
    assert summary(spent(0.1, 0.1)) == pytest.approx((area, area - 0.75))


def test_a_cascade_that_costs_more_than_the_llm_is_worth_the_slm_alone() -> None:
    assert summary(spent(0.5, 0.6)) == pytest.approx((0.5, 0.5 - 0.75))


def test_without_prices_or_with_a_dearer_slm_there_is_no_area() -> None:
    assert np.isnan(summary(spent(np.nan, 0.0))).all()
    assert np.isnan(summary(spent(1.0, 0.0))).all()


def test_a_worse_llm_is_held_against_the_slm_alone() -> None:
    area, gain = summary(spent(0.0, 0.0), np.array([True, False, False, False]))
    assert gain == pytest.approx(area - 0.5)


def test_a_routed_question_takes_the_seconds_of_all_three() -> None:
    of = Spent(np.array([1.0, 2, 3, 4]), np.full(4, 0.5), np.full(4, 10.0))
    medians = median_latency(ranking(CONFIDENCE), of, np.array([0, 0.5, 1]))
    # 1.5, 2.5, 3.5, 4.5; then 11.5, 12.5, 3.5, 4.5; then 11.5, 12.5, 13.5, 14.5.
    assert medians.tolist() == [3.0, 8.0, 13.0]
    assert np.isnan(median_latency(ranking(CONFIDENCE), spent(np.nan, 1), np.array([0.5]))).all()


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.4), st.floats(0, 0.4))
def test_the_area_is_that_of_a_fine_sum(seed: int, slm: float, method: float) -> None:
    draw = np.random.default_rng(seed)
    n = 30
    confidence, right, better = draw.random(n).round(1), draw.random(n) < 0.5, draw.random(n) < 0.8
    of = Spent(np.full(n, slm), np.full(n, method), 0.5 + draw.random(n))
    ranked = ranking(confidence)
    curve = routing_curve(ranked, right, better, of.llm)
    area, _ = cost_summary(curve, of, ranked.running(of.llm))
    budgets = np.linspace(n * slm, of.llm.sum(), 20001)
    total = n * (slm + method) + ranked.running(of.llm)
    accuracy = np.interp(budgets, total, curve.accuracy)
    assert area == pytest.approx(np.trapezoid(accuracy, budgets) / np.ptp(budgets), abs=1e-4)


def test_a_method_that_decides_before_the_answer_spares_that_of_what_is_routed() -> None:
    # An answer of the SLM takes 0.4, the method 0.1, an answer of the LLM 1: 2 where none is
    # routed, and 0.6 more for each that is.
    of = Spent(np.full(4, 0.4), np.full(4, 0.1), np.ones(4), is_before=True)
    assert of.of_slm == pytest.approx(2.0)
    assert of.of_routing.tolist() == pytest.approx([0.6] * 4)
    # 2 + 4 × 0.6 × share is the LLM's 4 dollars at a share of 2 / 2.4.
    assert of.break_even == pytest.approx(2 / 2.4)
    ranked = ranking(CONFIDENCE)
    curve = routing_curve(ranked, SLM, LLM, of.llm)
    # From 1.6 to 4 dollars: ½ to 2, up to 1 at 3.2, and 1 until the LLM alone costs as much.
    area = (0.4 * 0.5 + 1.2 * 0.75 + 0.8 * 1.0) / 2.4
    measured = cost_summary(curve, of, ranked.running(of.of_routing))
    assert tuple(measured) == pytest.approx((area, area - 0.75))
    # The same after the answer costs 4 × 0.5, and 1 more for each that is routed.
    after = Spent(of.slm, of.method, of.llm)
    assert cost_summary(curve, after, ranked.running(after.of_routing)).area_cost < area


def test_a_question_that_is_routed_before_takes_no_seconds_of_the_slm() -> None:
    of = Spent(np.array([1.0, 2, 3, 4]), np.full(4, 0.5), np.full(4, 10.0), is_before=True)
    medians = median_latency(ranking(CONFIDENCE), of, np.array([0, 0.5, 1]))
    # 1.5, 2.5, 3.5, 4.5; then 10.5, 10.5, 3.5, 4.5; then 10.5 each.
    assert medians.tolist() == [3.0, 7.5, 10.5]
