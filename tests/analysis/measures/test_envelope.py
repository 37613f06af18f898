"""The best systems of a study: populations whose best system is known, and held-out accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from slmroute_plugin.analysis.measures.bootstrap_areas import Interval, resampled_counts
from slmroute_plugin.analysis.measures.envelope import BUDGETS, Envelope, Saving, envelope
from slmroute_plugin.analysis.measures.routing_policies import SHARES
from slmroute_plugin.analysis.measures.systems import System, Systems, systems_of
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun

Array = np.ndarray


def run(
    model: str, right: Array, cost: float, scores: Mapping[str, Scores] | None = None
) -> TaskRun:
    """A run on the questions 0, 1, …, each of which costs the same."""
    n = len(right)
    hashes = np.arange(n).astype("S8")
    return TaskRun(model, "t", np.arange(n), hashes, right, np.full(n, cost), scores or {})


def scored(confidence: Array, right: Array, cost: float) -> Scores:
    """The confidences of a method that costs the same on each question."""
    return Scores(confidence, right, cost_usd=np.full(len(right), cost))


def hand_made(n: int = 1000, cost: float = 0.01, method_cost: float = 0.0) -> Setting:
    """An SLM whose confidence sorts its answers, and two LLMs.

    In the order of confidence the SLM is wrong on the first 40% and a cheap LLM on the first 20%;
    a dear LLM is always right. A question takes them 0.01, 0.2 and 1 dollar.
    """
    confidence = np.random.default_rng(0).permutation(n) / n
    right = confidence >= 0.4
    slm = run("slm", right, cost, {"sorts": scored(confidence, right, method_cost)})
    llms = {
        "cheap": run("cheap", confidence >= 0.2, 0.2),
        "dear": run("dear", confidence >= 0, 1.0),
    }
    return Setting(slm, llms)


def systems(*settings: Setting, seed: int = 0) -> Systems:
    """The systems of a data set, of which there are some."""
    of = systems_of(settings, seed)
    assert of is not None
    return of


def best_of(*on_datasets: Systems, resamples: int = 0) -> Envelope:
    """Their envelope, of which there is one."""
    draw = np.random.default_rng(1)
    counts = [resampled_counts(len(each.halves), resamples, draw) for each in on_datasets]
    of = envelope(on_datasets, counts)
    assert of is not None
    return of


def savings(of: Envelope) -> dict[str, Saving]:
    return {each.model.slm or each.model.llm: each for each in of.savings}


def test_systems_are_worth_what_a_hand_counts() -> None:
    of = systems(hand_made(method_cost=0.005))
    assert len(of.place) == 3 + 2 * len(SHARES)
    routed = [of.place[System("slm", "sorts", "dear", float(share))] for share in SHARES]
    assert of.accuracy[2, routed] == pytest.approx(np.minimum(0.6 + SHARES, 1))
    assert of.cost[2, routed] == pytest.approx(0.015 + SHARES)
    alone = [of.place[each] for each in of.place if each.is_alone]
    assert of.accuracy[2, alone].tolist() == [0.6, 0.8, 1.0]
    assert of.cost[2, alone] == pytest.approx([0.01, 0.2, 1.0])
    # Means over the halves are what their answers are.
    system = System("slm", "sorts", "cheap", 0.3)
    answers = of.answers(system)
    for half in (0, 1):
        rows = of.halves == half
        assert of.accuracy[half, of.place[system]] == pytest.approx(answers.right[rows].mean())
        assert of.cost[half, of.place[system]] == pytest.approx(answers.cost[rows].mean())


def test_what_is_routed_before_the_answer_does_not_cost_the_slms() -> None:
    setting = hand_made(cost=0.1, method_cost=0.005)
    scores = replace(setting.slm.scores["sorts"], is_before=True)
    of = systems(replace(setting, slm=replace(setting.slm, scores={"sorts": scores})))
    routed = [of.place[System("slm", "sorts", "dear", float(share))] for share in SHARES]
    assert of.cost[2, routed] == pytest.approx(0.105 + SHARES * 0.9)
    system = System("slm", "sorts", "cheap", 0.3)
    answers = of.answers(system)
    assert sorted(set(answers.cost.round(6))) == [0.105, 0.205]
    assert of.cost[2, of.place[system]] == pytest.approx(answers.cost.mean())


def test_a_kept_answer_is_the_slms_own() -> None:
    # The method has answers of its own, all right; a live run gives the SLM's.
    setting = hand_made()
    scores = setting.slm.scores["sorts"]
    scores = replace(scores, correct=np.ones_like(scores.correct))
    of = systems(replace(setting, slm=replace(setting.slm, scores={"sorts": scores})))
    routed = [of.place[System("slm", "sorts", "dear", float(share))] for share in SHARES]
    assert of.accuracy[2, routed] == pytest.approx(np.minimum(0.6 + SHARES, 1))
    assert of.answers(System("slm", "sorts", "dear", 0.3)).right.mean() == pytest.approx(0.9)


def test_a_system_may_cost_less_than_every_model_alone() -> None:
    # The SLM takes a dollar; the LLM 0.6 where the SLM is unsure, 1.6 elsewhere, 1.1 on average.
    setting = hand_made(cost=1.0)
    scores = replace(setting.slm.scores["sorts"], is_before=True)
    confidence = scores.confidence
    dear = replace(setting.llms["dear"], cost_usd=np.where(confidence < 0.5, 0.6, 1.6))
    slm = replace(setting.slm, scores={"sorts": scores})
    of = best_of(systems(Setting(slm, {"dear": dear})))
    cheapest = of.at_budgets[0]
    assert cheapest.budget == pytest.approx(1.0)
    # Half of the questions routed cost 0.6, the others 1, where the SLM alone takes 1 for each.
    assert cheapest.best.system == System("slm", "sorts", "dear", 0.5)
    assert cheapest.best.accuracy_chosen == pytest.approx(1.0)


def test_a_question_without_a_confidence_is_routed_first() -> None:
    setting = hand_made()
    scores = setting.slm.scores["sorts"]
    gaps = np.where(scores.confidence < 0.05, np.nan, scores.confidence)
    slm = replace(setting.slm, scores={"sorts": replace(scores, confidence=gaps)})
    with_gaps = systems(replace(setting, slm=slm))
    assert with_gaps.accuracy == pytest.approx(systems(setting).accuracy)


def test_savings_are_those_of_the_cheapest_system_that_is_as_accurate() -> None:
    found = savings(best_of(systems(hand_made()), resamples=200))
    # Routing the 40% on which the SLM is wrong makes all right, as the dear LLM does alone.
    dear = found["dear"]
    assert dear.is_best
    assert not found["cheap"].is_best
    assert dear.cheapest.system == System("slm", "sorts", "dear", pytest.approx(0.4))
    assert dear.cheapest.agreed
    assert dear.cheapest.held_out.accuracy == 1.0
    assert dear.cheapest.held_out.cost == pytest.approx(0.41)
    saved, interval = dear.cheapest.held_out.cheaper_than(dear.alone)
    assert saved == pytest.approx(0.59)
    # Of 1,000 questions, the share that is routed has a standard error of √(0.24/1000).
    assert interval.low == pytest.approx(0.59 - 1.96 * 0.0155, abs=0.006)
    assert interval.high == pytest.approx(0.59 + 1.96 * 0.0155, abs=0.006)
    # The same 40% to the cheap LLM: as accurate as it is alone, at 0.01 + 0.4 · 0.2 dollars.
    cheap = found["cheap"]
    assert cheap.cheapest.system == System("slm", "sorts", "cheap", pytest.approx(0.4))
    assert cheap.cheapest.held_out.cheaper_than(cheap.alone)[0] == pytest.approx(0.55)
    assert cheap.cheapest.held_out.better_than(cheap.alone) == (0.0, Interval(0.0, 0.0))
    # Among models alone, nothing is as accurate for less; and nothing is cheaper than the SLM.
    assert dear.single.system == dear.model
    assert dear.single.held_out.cheaper_than(dear.alone)[0] == 0.0
    assert found["slm"].cheapest.system == found["slm"].model


def test_a_model_that_is_as_good_and_cheaper_saves_without_routing() -> None:
    setting = hand_made()
    twin = replace(setting.llms["dear"], model="twin", cost_usd=np.full(1000, 0.05))
    found = savings(best_of(systems(replace(setting, llms={**setting.llms, "twin": twin}))))
    dear = found["dear"]
    assert dear.single.system == System("", "", "twin", 1.0)
    assert dear.single.held_out.cheaper_than(dear.alone)[0] == pytest.approx(0.95)
    # 0.01 + 0.4 · 0.05 dollars are less than 0.05.
    assert dear.cheapest.system == System("slm", "sorts", "twin", pytest.approx(0.4))


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        # For 0.09 dollars a question, the cheap LLM mends 20% of the questions for 0.08.
        (0.11, System("slm", "sorts", "cheap", 0.4)),
        (0.51, System("slm", "sorts", "dear", 0.4)),
        (1.0, System("slm", "sorts", "dear", 0.4)),
        (0.01, System("slm", "", "", 0.0)),
    ],
)
def test_the_best_system_for_a_budget(cost: float, expected: System) -> None:
    of = best_of(systems(hand_made()))
    assert len(of.at_budgets) == BUDGETS
    at = max(
        (each for each in of.at_budgets if each.budget <= cost * 1.001), key=lambda one: one.budget
    )
    assert at.best.system.models == expected.models
    assert at.best.system.share == pytest.approx(expected.share)
    assert at.best.agreed


def test_gains_are_over_the_best_model_alone_and_over_random_mixtures() -> None:
    of = best_of(systems(hand_made()), resamples=100)
    last = of.at_budgets[-1]
    assert last.budget == pytest.approx(1.0)
    assert last.single.system == System("", "", "dear", 1.0)
    assert last.best.held_out.better_than(last.single.held_out) == (0.0, Interval(0.0, 0.0))
    within = next(each for each in of.at_budgets if 0.45 < each.budget < 0.95)
    assert within.single.system == System("", "", "cheap", 1.0)
    gain, interval = within.best.held_out.better_than(within.single.held_out)
    assert gain == pytest.approx(0.2)
    assert 0.17 < interval.low < 0.2 < interval.high < 0.23
    # A random share goes to the dear LLM and the rest to the cheap LLM, for the same 0.41 dollars.
    assert within.mixed.cost == pytest.approx(0.41)
    assert within.mixed.accuracy == pytest.approx(0.8 + 0.2 * 0.21 / 0.8, abs=0.005)
    assert last.mixed.accuracy == pytest.approx(within.mixed.accuracy)


def test_data_sets_count_the_same_over_all() -> None:
    large, small = systems(hand_made()), systems(hand_made(200), seed=3)
    both = best_of(large, small)
    assert both.n == 1200
    dear = savings(both)["dear"]
    # 40% of either, so that the mean is 0.41 dollars whatever the sizes.
    assert dear.cheapest.held_out.cost == pytest.approx(0.41)
    half = replace(large, accuracy=large.accuracy * 0, cost=large.cost + 2)
    mixed = best_of(large, half)
    assert mixed.at_budgets[-1].budget == pytest.approx((1.0 + 3.0) / 2)
    assert mixed.at_budgets[-1].best.accuracy_chosen == pytest.approx(0.5)


def test_only_systems_of_all_data_sets_are_compared_over_all() -> None:
    setting = hand_made()
    without = replace(setting, llms={"cheap": setting.llms["cheap"]})
    both = best_of(systems(setting), systems(without))
    assert set(savings(both)) == {"slm", "cheap"}
    nothing = replace(setting, llms={})
    assert systems_of([nothing], 0) is None
    other = replace(setting.slm, model="other")
    assert envelope([systems(setting), systems(replace(setting, slm=other, llms={
        "third": replace(setting.llms["dear"], model="third")}))], [[], []]) is None  # fmt: skip


def test_systems_whose_costs_are_not_known_are_left_out() -> None:
    setting = hand_made()
    unknown = replace(setting.llms["dear"], cost_usd=np.full(1000, np.nan))
    of = systems(replace(setting, llms={**setting.llms, "dear": unknown}))
    assert {each.llm for each in of.place} == {"", "cheap"}
    free = replace(setting.slm, cost_usd=np.full(1000, np.nan))
    assert systems_of([replace(setting, slm=free)], 0) is None


def test_slms_are_compared_on_the_questions_that_all_answered() -> None:
    setting = hand_made()
    rows = np.flatnonzero(np.arange(1000) % 2 == 0)
    other = Setting(
        replace(setting.slm.taken(rows), model="other"),
        {name: each.taken(rows) for name, each in setting.llms.items()},
    )
    # The question with the number 0 is another question for the other SLM.
    other.slm.doc_hash[0] = b"else"
    of = systems(setting, other)
    assert len(of.halves) == 499
    at = [of.place[System(name, "sorts", "dear", 0.25)] for name in ("slm", "other")]
    assert of.accuracy[:, at[0]].tolist() == of.accuracy[:, at[1]].tolist()


def test_too_few_questions_are_not_halved() -> None:
    assert systems_of([hand_made(39)], 0) is None
    assert systems_of([hand_made(40)], 0) is not None


def test_free_models_have_budgets_too() -> None:
    of = best_of(systems(hand_made(cost=0.0)))
    assert [each.budget for each in of.at_budgets] == pytest.approx(np.linspace(0, 1, BUDGETS))
    free = savings(of)["slm"]
    assert np.isnan(free.cheapest.held_out.cheaper_than(free.alone)[0])


def worthless(draw: np.random.Generator, n: int, methods: int) -> Setting:
    """An SLM at 50% with methods that know nothing, and an LLM at 70%."""
    right = draw.random(n) < 0.5
    scores = {str(k): scored(draw.random(n), right, 0.0) for k in range(methods)}
    return Setting(run("slm", right, 0.1, scores), {"llm": run("llm", draw.random(n) < 0.7, 1.0)})


def test_what_is_chosen_on_a_half_is_not_flattered_by_the_other() -> None:
    # A system that routes the share s is right on 0.5 + 0.2 s of all questions there are.
    draw = np.random.default_rng(4)
    chosen, held_out, truth = [], [], []
    for seed in range(60):
        of = systems(worthless(draw, 100, 8), seed=seed)
        at = best_of(of).at_budgets[BUDGETS // 2]
        chosen.append(at.best.accuracy_chosen - (0.5 + 0.2 * at.best.system.share))
        held_out.append(at.best.held_out.accuracy)
        share = (at.best.held_out.cost - 0.1) / 1.0
        truth.append(0.5 + 0.2 * share)
    # The best of 8 · 19 systems seems better than it is by a standard error and more.
    assert np.mean(chosen) > 0.04
    wrong = np.asarray(held_out) - truth
    assert abs(np.mean(wrong)) < 3 * wrong.std() / np.sqrt(len(wrong))
    assert 3 * wrong.std() / np.sqrt(len(wrong)) < 0.025


@pytest.mark.slow
def test_intervals_hold_what_the_choice_is_worth() -> None:
    draw = np.random.default_rng(5)
    held = []
    for seed in range(200):
        of = best_of(systems(worthless(draw, 200, 4), seed=seed), resamples=200)
        best = of.at_budgets[BUDGETS // 2].best.held_out
        interval = Interval.of(best.accuracies)
        held.append(interval.low <= 0.5 + 0.2 * (best.cost - 0.1) <= interval.high)
    # 200 intervals of 95% hold 183 times or more with a probability of 98%.
    assert sum(held) >= 183
