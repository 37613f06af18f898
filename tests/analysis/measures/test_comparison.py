"""Methods against each other: areas, paired tests, Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest
from blurred_study import blurred_study, task_run
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.measures.bootstrap_areas import Routable, areas
from slmroute_plugin.analysis.measures.comparison import comparison_table, holm
from slmroute_plugin.analysis.measures.ranks import ranks_table
from slmroute_plugin.analysis.study.runs import Setting, Study


def test_a_clearly_better_method_is_significantly_better() -> None:
    table = comparison_table(blurred_study(4, 400, {"good": 0.05, "noise": 50.0}), resamples=200)
    (row,) = table.itertuples()
    assert (row.slm, row.llm, row.method_a, row.method_b) == ("small", "large", "good", "noise")
    assert (row.datasets, row.n) == (4, 1600)
    assert 0 < row.low < row.difference < row.high
    assert row.p_value == row.p_holm == pytest.approx(1 / 201)
    assert row.significant


def test_the_difference_is_the_mean_of_the_datasets_differences() -> None:
    made = blurred_study(3, 50, {"a": 0.1, "b": 0.6})
    by_hand = []
    for setting in made.settings:
        slm, llm = setting.slm.correct, setting.llms["large"].correct[:, None]
        a, b = (
            areas(Routable(setting.slm.scores[method].confidence, slm, llm)).area[0, 0]
            for method in ("a", "b")
        )
        by_hand.append(a - b)
    (row,) = comparison_table(made, resamples=50).itertuples()
    assert row.difference == pytest.approx(np.mean(by_hand))


def test_the_same_confidences_differ_by_nothing() -> None:
    made = blurred_study(2, 60, {"a": 0.3})
    for setting in made.settings:
        setting.slm.scores["b"] = setting.slm.scores["a"]  # type: ignore[index]
    (row,) = comparison_table(made, resamples=100).itertuples()
    assert (row.difference, row.low, row.high, row.p_value) == (0, 0, 0, 1)
    assert not row.significant


def test_p_values_are_right_where_methods_do_not_differ() -> None:
    p_values = []
    for draw in (np.random.default_rng(seed) for seed in range(60)):
        slm, llm = draw.random(80) < 0.5, draw.random(80) < 0.8
        confidences = {"a": draw.random(80), "b": draw.random(80)}
        setting = Setting(task_run("s", "t", slm, confidences), {"l": task_run("l", "t", llm, {})})
        p_values.append(comparison_table(Study([setting]), resamples=200)["p_value"][0])
    assert 0.01 < np.mean(np.array(p_values) < 0.2) < 0.4
    assert 0.35 < np.mean(p_values) < 0.65


def test_both_methods_are_held_to_the_questions_that_both_know() -> None:
    made = blurred_study(2, 100, {"a": 0.1, "b": 0.1}, unknown=0.3)
    both = sum(
        int((one.slm.scores["a"].known & one.slm.scores["b"].known).sum()) for one in made.settings
    )
    assert comparison_table(made, resamples=20)["n"].tolist() == [both]
    assert comparison_table(made, unparsed_routed=True, resamples=20)["n"].tolist() == [200]


def test_a_method_without_any_confidence_is_not_compared() -> None:
    made = blurred_study(2, 30, {"a": 0.1, "b": 0.1})
    for setting in made.settings:
        setting.slm.scores["b"].confidence[:] = np.nan
    assert comparison_table(made, unparsed_routed=True).empty


def test_a_study_without_llms_has_no_rows() -> None:
    (setting,) = blurred_study(1, 20, {"a": 0.1, "b": 0.2}).settings
    alone = Study([Setting(setting.slm, {})])
    assert comparison_table(alone).empty
    assert ranks_table(alone).empty


def test_without_resamples_nothing_is_tested() -> None:
    (row,) = comparison_table(blurred_study(2, 30, {"a": 0.1, "b": 9.0}), resamples=0).itertuples()
    assert row.difference > 0
    assert np.isnan([row.low, row.high, row.p_value, row.p_holm]).all()
    assert not row.significant


def test_many_pairs_get_as_many_resamples_as_significance_takes() -> None:
    noise = {"good": 0.01} | {f"noise{at}": 50.0 for at in range(6)}
    table = comparison_table(blurred_study(2, 300, noise), resamples=10)
    against_good = table[table["method_a"] == "good"]
    assert len(table) == 21
    assert against_good["significant"].all()
    assert against_good["p_value"].min() == pytest.approx(1 / 421)


def test_holm_by_hand() -> None:
    # Sorted: 0.005·4 = 0.02, 0.01·3 = 0.03, 0.03·2 = 0.06, 0.04·1 → 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1, raw * len(p_values)) + 1e-12
