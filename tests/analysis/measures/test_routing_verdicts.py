"""Whether to route: populations whose best policy is known, and the rate of false verdicts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from slmroute_plugin.analysis.measures.bootstrap_areas import resampled_counts
from slmroute_plugin.analysis.measures.routing_policies import (
    ALL_COSTS,
    LLM_CALLS,
    SHARES,
    Policies,
    Routing,
    overall,
    policies,
)
from slmroute_plugin.analysis.measures.routing_verdicts import (
    CANNOT_BE_TOLD,
    DO_NOT_ROUTE,
    ROUTE,
    Verdict,
    verdicts,
)
from slmroute_plugin.analysis.measures.total_cost import Spent

Array = np.ndarray


def of(
    confidence: Array,
    slm: Array,
    llm: Array,
    costs: tuple[float, float, float] = (0.0, 0.0, 1.0),
    resamples: int = 300,
    seed: int = 0,
) -> Policies:
    """The policies of one method, where each question costs the same."""
    n = len(slm)
    spent = Spent(*(np.full(n, cost) for cost in costs))
    counts = resampled_counts(n, resamples, np.random.default_rng(seed))
    (found,) = policies(Routing(confidence, slm, llm[:, None], [spent]), counts)
    return found


def verdict(found: Policies) -> Verdict:
    return verdicts({"m": found})["m"]


def sure(n: int = 1000, seed: int = 0) -> tuple[Array, Array, Array]:
    """Confidences that tell right from wrong, of an SLM at 60%; the LLM is right on 90%.

    The LLM is wrong on the least sure tenth, and right wherever the SLM is.
    """
    draw = np.random.default_rng(seed).permutation(n)
    confidence = draw / n
    return confidence, confidence >= 0.4, confidence >= 0.1


def test_policies_are_worth_what_a_hand_counts() -> None:
    confidence, slm, _ = sure()
    llm = np.ones(1000, dtype=bool)
    found = of(confidence, slm, llm, (0.1, 0.1, 1.0))
    assert found.share == pytest.approx(SHARES)
    assert found.accuracy == pytest.approx(np.minimum(0.6 + SHARES, 1.0))
    assert found.cost == pytest.approx(0.2 + SHARES)
    # For the same money, random routing, which asks one model, sends (0.1 + share) / 0.9.
    mixed = 0.6 + 0.4 * np.minimum((0.1 + SHARES) / 0.9, 1)
    assert found.gain == pytest.approx(found.accuracy - mixed)
    assert (found.slm, found.llm, found.slm_cost, found.llm_cost) == (0.6, 1.0, 0.1, 1.0)


def test_what_is_routed_before_the_answer_is_not_answered_by_the_slm() -> None:
    confidence, slm, _ = sure()
    llm = np.ones((1000, 1), dtype=bool)
    costs = [np.full(1000, cost) for cost in (0.3, 0.1, 1.0)]
    asked, spared = (
        next(policies(Routing(confidence, slm, llm, [Spent(*costs, is_before)]), []))
        for is_before in (False, True)
    )
    assert asked.cost == pytest.approx(0.4 + SHARES)
    assert spared.cost == pytest.approx(0.4 + 0.7 * SHARES)
    mixed = 0.6 + 0.4 * np.minimum((0.1 + 0.7 * SHARES) / 0.7, 1)
    assert spared.gain == pytest.approx(spared.accuracy - mixed)
    assert (spared.slm_cost, spared.llm_cost) == pytest.approx((0.3, 1.0))
    # At half the questions routed, the LLM alone costs more than either.
    assert spared.counts.sum() > asked.counts.sum()


@pytest.mark.parametrize(
    ("slm_cost", "expected", "why"),
    [
        (0.05, ROUTE, ""),
        (0.5, ROUTE, ""),
        # The LLM is right on all: routing 40% mends all, so that it pays up to 60% of its price.
        (0.62, DO_NOT_ROUTE, "random routing is as good at no more cost"),
        (0.9, DO_NOT_ROUTE, "random routing is as good at no more cost"),
        (1.2, DO_NOT_ROUTE, "it costs more than the LLM alone"),
    ],
)
def test_routing_pays_below_the_break_even_and_not_above(
    slm_cost: float, expected: str, why: str
) -> None:
    confidence, slm, _ = sure()
    found = verdict(of(confidence, slm, np.ones(1000, dtype=bool), (slm_cost, 0.0, 1.0)))
    assert (found.verdict, found.reason) == (expected, why)


def test_a_worse_llm_is_not_worth_a_call() -> None:
    draw = np.random.default_rng(0)
    slm, llm = draw.random(2000) < 0.8, draw.random(2000) < 0.4
    found = verdict(of(draw.random(2000), slm, llm))
    assert (found.verdict, found.reason) == (
        DO_NOT_ROUTE,
        "the SLM alone is as good at no more cost",
    )


def test_a_constant_confidence_decides_nothing() -> None:
    _, slm, llm = sure()
    found = verdict(of(np.ones(1000), slm, llm))
    assert found.verdict != ROUTE
    assert found.gain <= 0


def test_few_questions_tell_nothing() -> None:
    draw = np.random.default_rng(1)
    slm, llm = draw.random(60) < 0.6, draw.random(60) < 0.8
    found = verdict(of(draw.random(60), slm, llm))
    assert found.verdict == CANNOT_BE_TOLD
    assert found.reason == "there are too few questions for so small a difference"
    few = verdict(of(draw.random(20), slm[:20], llm[:20]))
    assert (few.verdict, few.reason) == (CANNOT_BE_TOLD, "there are too few questions")


def test_without_prices_it_can_only_be_told_that_routing_does_not_pay() -> None:
    confidence, slm, llm = sure()
    unknown = (float("nan"), 0.0, 1.0)
    good = verdict(of(confidence, slm, llm, unknown))
    assert (good.verdict, good.reason, good.costs) == (
        CANNOT_BE_TOLD,
        "prices are not known",
        LLM_CALLS,
    )
    assert np.isnan(good.cost_slm)
    assert good.gain > 0.1
    worse = verdict(of(confidence, slm, slm & (confidence > 0.7), unknown))
    assert worse.verdict == DO_NOT_ROUTE
    assert verdict(of(confidence, slm, llm)).costs == ALL_COSTS


def test_without_resamples_nothing_is_told() -> None:
    confidence, slm, llm = sure()
    found = verdict(of(confidence, slm, llm, resamples=0))
    assert (found.verdict, found.reason) == (CANNOT_BE_TOLD, "there are no resamples")
    assert np.isnan([found.gain_low, found.p_value, found.p_holm]).all()


def test_the_least_gain_is_what_counts_as_just_as_good() -> None:
    draw = np.random.default_rng(2)
    slm, llm = draw.random(5000) < 0.6, draw.random(5000) < 0.8
    found = of(draw.random(5000), slm, llm)
    assert verdicts({"m": found}, least_gain=0.05)["m"].verdict == DO_NOT_ROUTE
    assert verdicts({"m": found}, least_gain=0.0)["m"].verdict == CANNOT_BE_TOLD


def test_data_sets_count_the_same_over_all() -> None:
    confidence, slm, _ = sure()
    large = of(confidence, slm, np.ones(1000, dtype=bool))
    small = of(confidence[:200], slm[:200], np.ones(200, dtype=bool), seed=1)
    both = overall([large, small])
    assert both.gain == pytest.approx((large.gain + small.gain) / 2)
    assert both.resampled == pytest.approx((large.resampled + small.resampled) / 2)
    assert both.n == 1200
    assert both.scale == pytest.approx(np.hypot(large.scale, small.scale) / 2)
    assert verdict(both).verdict == ROUTE


def test_the_standard_errors_are_those_of_the_resamples() -> None:
    draw = np.random.default_rng(3)
    slm, llm = draw.random(1500) < 0.55, draw.random(1500) < 0.8
    confidence = slm + draw.normal(0, 1, 1500)
    found = of(confidence, slm, llm, (0.1, 0.05, 1.0), resamples=2000)
    spread = found.resampled.std(axis=0)
    counted = found.cost < 0.95  # where random routing is cut off, the gain is not smooth
    assert found.scale[counted] == pytest.approx(spread[counted], rel=0.12)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "methods"), [(100, 1), (300, 4)])
def test_routing_that_is_worth_nothing_is_advised_in_one_of_twenty(n: int, methods: int) -> None:
    draw = np.random.default_rng(n)
    found: Counter[bool] = Counter()
    studies = 400
    for _ in range(studies):
        slm, llm = draw.random(n) < 0.55, draw.random(n) < 0.8
        counts = resampled_counts(n, 300, draw)
        spent = Spent(np.zeros(n), np.zeros(n), draw.exponential(1, n))
        by_method = {
            str(method): next(policies(Routing(draw.random(n), slm, llm[:, None], [spent]), counts))
            for method in range(methods)
        }
        found[any(each.verdict == ROUTE for each in verdicts(by_method).values())] += 1
    # 400 studies at a rate of 5% have 30 or fewer with a probability of 98.5%.
    assert found[True] <= 30
