"""Thresholds for goals, by hand and by trying every threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.calibration.goals import Goal, GoalError, GoalKind
from slmroute_plugin.analysis.calibration.thresholds import Answers, calibrate, figures_at

NAN = float("nan")
ANSWERS = Answers(
    confidence=np.array([NAN, 0.2, 0.4, 0.4, 0.8]),
    slm=np.array([False, False, True, False, True]),
    llm=np.array([True, True, True, True, False]),
    cost_usd=np.array([1.0, 2.0, NAN, 3.0, 2.0]),
)


@pytest.mark.parametrize(
    ("goal", "threshold", "best"),
    [
        # The cuts 0, 0.3, 0.6 and ∞ route 1, 2, 4 and 5 answers.
        (Goal("ratio", 0.4), 0.3, 0.2),
        (Goal("ratio", 0.79), 0.3, 0.2),
        (Goal("ratio", 0.1), None, 0.2),
        (Goal("ratio", 1), np.inf, 0.2),
        # Overall right: 3, 4, 5 and 4 of 5.
        (Goal("accuracy", 0.8), 0.3, 1.0),
        (Goal("accuracy", 0.9), 0.6, 1.0),
        (Goal("accuracy", 0.1), 0.0, 1.0),
        # Of the kept, right: 2 of 4, 2 of 3, 1 of 1.
        (Goal("kept_accuracy", 0.6), 0.3, 1.0),
        (Goal("kept_accuracy", 0.7), 0.6, 1.0),
        # The SLM has 2 of 5 right and the LLM 4: the cuts are at ½, 1, 1½ and 1 of the way.
        (Goal("cpt", 0.5), 0.0, 1.5),
        (Goal("cpt", 0.8), 0.3, 1.5),
        # The unknown price is the mean of the others, 2: the cuts cost 1, 3, 8 and 10.
        (Goal("budget_usd", 7.9), 0.3, 1.0),
        (Goal("budget_usd", 8), 0.6, 1.0),
        (Goal("budget_usd", 0.5), None, 1.0),
        (Goal("budget_usd", 8, questions=10), 0.3, 2.0),
    ],
)
def test_thresholds_by_hand(goal: Goal, threshold: float | None, best: float) -> None:
    found = calibrate(ANSWERS, goal)
    assert found.threshold == (None if threshold is None else pytest.approx(threshold))
    assert found.best == pytest.approx(best)
    assert found.tested_on == 5


def test_what_a_threshold_does_by_hand() -> None:
    ratio, kept_accuracy, accuracy, cost, total = figures_at(0.3, ANSWERS, questions=50)
    assert (ratio.value, kept_accuracy.value) == (0.4, pytest.approx(2 / 3))
    assert accuracy is not None
    assert accuracy.value == 0.8
    assert cost == pytest.approx(30)
    assert total is None
    # Clopper–Pearson for 2 of 5.
    assert (ratio.low, ratio.high) == pytest.approx((0.0527, 0.8534), abs=1e-4)


def test_a_budget_counts_all_costs_where_they_are_known() -> None:
    answers = replace(ANSWERS, before_routing_usd=2.0)
    # The cuts cost 2 more each: 3, 5, 10 and 12.
    assert calibrate(answers, Goal("budget_usd", 9.9)).threshold == pytest.approx(0.3)
    assert calibrate(answers, Goal("budget_usd", 10)).threshold == pytest.approx(0.6)
    assert calibrate(answers, Goal("budget_usd", 2.5)).threshold is None
    assert calibrate(answers, Goal("budget_usd", 10, questions=10)).threshold == pytest.approx(0.3)
    figures = figures_at(0.3, answers, questions=50)
    assert (figures.cost_usd, figures.total_usd) == (pytest.approx(30), pytest.approx(50))


def test_a_budget_counts_what_routing_before_the_answer_spares() -> None:
    spared = np.full(len(ANSWERS.slm), 0.25)
    answers = replace(ANSWERS, before_routing_usd=2.0, spared_usd=spared)
    after = replace(answers, spared_usd=None)
    for threshold in (0.0, 0.3, 0.6, 1.0):
        mine, other = (figures_at(threshold, each) for each in (answers, after))
        assert mine.cost_usd == other.cost_usd
        assert mine.total_usd is not None and other.total_usd is not None
        saved = 0.25 * mine.ratio.value * len(spared)
        assert mine.total_usd == pytest.approx(other.total_usd - saved)
    # Two are routed for 3 + 2 − 2 × 0.25.
    assert calibrate(answers, Goal("budget_usd", 4.5)).threshold == pytest.approx(0.3)
    assert calibrate(after, Goal("budget_usd", 4.5)).threshold != pytest.approx(0.3)


def test_without_an_llm_and_with_nothing_kept() -> None:
    alone = Answers(np.array([0.1, 0.2]), np.array([True, False]))
    figures = figures_at(1.0, alone)
    assert figures.ratio.value == 1
    assert np.isnan(figures.kept_accuracy.value)
    assert figures.accuracy is None
    assert figures.cost_usd is None


@given(
    st.lists(
        st.tuples(st.none() | st.floats(0, 1), st.booleans(), st.booleans()),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["ratio", "accuracy", "kept_accuracy"]),
    st.floats(0, 1),
)
def test_no_other_threshold_does_better(
    rows: list[tuple[float | None, bool, bool]], kind: GoalKind, value: float
) -> None:
    confidence, slm, llm = (np.array(column) for column in zip(*rows, strict=True))
    answers = Answers(confidence.astype(np.float64), slm, llm)
    found = calibrate(answers, Goal(kind, value))
    reached = []
    for threshold in {0.0, 1.0, np.inf, *(one for one, _, _ in rows if one)}:
        kept = answers.confidence >= threshold
        ratio = 1 - kept.mean()
        if kind == "ratio":
            is_reached = ratio <= value + 1e-9
        else:
            right = np.where(kept, slm, llm) if kind == "accuracy" else slm[kept]
            is_reached = right.size > 0 and right.mean() >= value - 1e-9
        if is_reached:
            reached.append(ratio)
    assert (found.threshold is None) == (not reached)
    if found.figures is not None:
        cheapest = max(reached) if kind == "ratio" else min(reached)
        assert found.figures.ratio.value == pytest.approx(cheapest)


@pytest.mark.parametrize(
    ("kind", "value", "more", "message"),
    [
        ("ratio", NAN, {}, "--ratio nan: a number from 0 to 1"),
        ("ratio", -0.1, {}, "--ratio -0.1: a number from 0 to 1"),
        ("accuracy", 90, {}, "--accuracy 90: a number from 0 to 1"),
        ("kept_accuracy", 1.1, {}, "--kept-accuracy 1.1: a number"),
        ("cpt", 50, {}, "--cpt 50: a number from 0 to 1"),
        ("budget_usd", -1, {}, "--budget-usd -1: dollars, at least 0"),
        ("budget_usd", float("inf"), {}, "--budget-usd inf: dollars"),
        ("budget_usd", NAN, {}, "--budget-usd nan: dollars"),
        ("budget_usd", 1, {"questions": 0}, "--questions 0: at least 1"),
        ("ratio", 0.3, {"questions": 5}, "--questions goes with --budget-usd"),
        ("ratio", 0.3, {"guarantee": 1.0}, "--guarantee 1: a probability"),
        ("ratio", 0.3, {"guarantee": NAN}, "--guarantee nan: a probability"),
        ("cpt", 0.5, {"guarantee": 0.9}, "--cpt has no guarantee"),
        ("budget_usd", 5, {"guarantee": 0.9}, "--budget-usd has no guarantee"),
    ],
)
def test_goals_that_make_no_sense(
    kind: GoalKind, value: float, more: dict[str, float], message: str
) -> None:
    with pytest.raises(GoalError, match=message):
        Goal(kind, value, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "goal", "message"),
    [
        (Answers(np.empty(0), np.empty(0, bool)), Goal("ratio", 0.3), "no answers"),
        (Answers(np.ones(2), np.ones(2, bool)), Goal("accuracy", 0.3), "name it with --llm"),
        (
            Answers(np.ones(2), np.ones(2, bool), np.ones(2, bool), np.full(2, NAN)),
            Goal("budget_usd", 3),
            "cost is not known",
        ),
        (
            Answers(np.ones(2), np.ones(2, bool), np.zeros(2, bool)),
            Goal("cpt", 0.5),
            r"--cpt is undefined.*LLM \(0\.0000 right\)",
        ),
    ],
)
def test_goals_that_these_answers_cannot_judge(answers: Answers, goal: Goal, message: str) -> None:
    with pytest.raises(GoalError, match=message):
        calibrate(answers, goal)


def test_an_accuracy_with_a_guarantee_is_that_of_kept_answers() -> None:
    draw = np.random.default_rng(0)
    confidence = draw.random(1000)
    answers = Answers(confidence, draw.random(1000) < 0.5 + confidence / 2)
    found = [
        calibrate(answers, Goal(kind, 0.85, guarantee=0.95))
        for kind in ("accuracy", "kept_accuracy")
    ]
    assert found[0].threshold == found[1].threshold
    assert found[0].threshold is not None
    assert found[0].tested_on == 800
    plain = calibrate(answers, Goal("kept_accuracy", 0.85))
    assert plain.threshold is not None
    assert plain.threshold < found[0].threshold  # the promise costs some calls
