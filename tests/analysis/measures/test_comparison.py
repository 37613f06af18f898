"""Methods against each other: areas, paired tests, Holm's correction, ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import friedmanchisquare

from slmroute_plugin.analysis.measures.bootstrap_areas import Routable, areas
from slmroute_plugin.analysis.measures.comparison import comparison_table, holm
from slmroute_plugin.analysis.measures.ranks import critical_difference, ranks_table
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun

Confidences = Mapping[str, NDArray[np.float64]]


def run(model: str, task: str, correct: NDArray[np.bool_], confidences: Confidences) -> TaskRun:
    n = len(correct)
    return TaskRun(
        model,
        task,
        np.arange(n),
        np.array([f"{row:04}" for row in range(n)], "S4"),
        correct,
        np.full(n, np.nan),
        {method: Scores(values, correct) for method, values in confidences.items()},
    )


def study(datasets: int, n: int, noise: Mapping[str, float], unknown: float = 0.0) -> Study:
    """Methods whose confidence is the probability of being right, blurred by `noise`."""
    draw = np.random.default_rng(5)
    settings = []
    for at in range(datasets):
        chance = draw.random(n)
        slm, llm = draw.random(n) < chance, draw.random(n) < 0.9
        confidences = {}
        for method, much in noise.items():
            confidences[method] = np.clip(chance + much * draw.normal(size=n), 0, 1)
            confidences[method][draw.random(n) < unknown] = np.nan
        setting = Setting(
            run("small", f"task{at}", slm, confidences),
            {"large": run("large", f"task{at}", llm, {})},
        )
        settings.append(setting)
    return Study(settings)


def test_a_clearly_better_method_is_significantly_better() -> None:
    table = comparison_table(study(4, 400, {"good": 0.05, "noise": 50.0}), resamples=200)
    (row,) = table.itertuples()
    assert (row.slm, row.llm, row.method_a, row.method_b) == ("small", "large", "good", "noise")
    assert (row.datasets, row.n) == (4, 1600)
    assert 0 < row.low < row.difference < row.high
    assert row.p_value == row.p_holm == pytest.approx(1 / 201)
    assert row.significant


def test_the_difference_is_the_mean_of_the_datasets_differences() -> None:
    made = study(3, 50, {"a": 0.1, "b": 0.6})
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
    made = study(2, 60, {"a": 0.3})
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
        setting = Setting(run("s", "t", slm, confidences), {"l": run("l", "t", llm, {})})
        p_values.append(comparison_table(Study([setting]), resamples=200)["p_value"][0])
    assert 0.01 < np.mean(np.array(p_values) < 0.2) < 0.4
    assert 0.35 < np.mean(p_values) < 0.65


def test_both_methods_are_held_to_the_questions_that_both_know() -> None:
    made = study(2, 100, {"a": 0.1, "b": 0.1}, unknown=0.3)
    both = sum(
        int((one.slm.scores["a"].known & one.slm.scores["b"].known).sum()) for one in made.settings
    )
    assert comparison_table(made, resamples=20)["n"].tolist() == [both]
    assert comparison_table(made, unparsed_routed=True, resamples=20)["n"].tolist() == [200]


def test_a_method_without_any_confidence_is_not_compared() -> None:
    made = study(2, 30, {"a": 0.1, "b": 0.1})
    for setting in made.settings:
        setting.slm.scores["b"].confidence[:] = np.nan
    assert comparison_table(made, unparsed_routed=True).empty


def test_a_study_without_llms_has_no_rows() -> None:
    (setting,) = study(1, 20, {"a": 0.1, "b": 0.2}).settings
    alone = Study([Setting(setting.slm, {})])
    assert comparison_table(alone).empty
    assert ranks_table(alone).empty


def test_without_resamples_nothing_is_tested() -> None:
    (row,) = comparison_table(study(2, 30, {"a": 0.1, "b": 9.0}), resamples=0).itertuples()
    assert row.difference > 0
    assert np.isnan([row.low, row.high, row.p_value, row.p_holm]).all()
    assert not row.significant


def test_many_pairs_get_as_many_resamples_as_significance_takes() -> None:
    noise = {"good": 0.01} | {f"noise{at}": 50.0 for at in range(6)}
    table = comparison_table(study(2, 300, noise), resamples=10)
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


@pytest.mark.parametrize(
    # Demšar 2006, table 5 (a): q at 0.05.
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (5, 2.728), (8, 3.031), (10, 3.164)],
)
def test_critical_differences_are_those_of_the_printed_table(methods: int, q: float) -> None:
    expected = q * (methods * (methods + 1) / (6 * 14)) ** 0.5
    assert critical_difference(methods, 14) == pytest.approx(expected, rel=5e-4)


def test_ranks_by_hand_and_friedman_by_scipy() -> None:
    made = study(6, 200, {"best": 0.02, "middle": 0.5, "worst": 30.0})
    by_dataset = {
        method: [
            areas(
                Routable(
                    one.slm.scores[method].confidence,
                    one.slm.correct,
                    one.llms["large"].correct[:, None],
                )
            ).area[0, 0]
            for one in made.settings
        ]
        for method in ("best", "middle", "worst")
    }
    table = ranks_table(made).set_index("method")
    for method in by_dataset:
        ranks = [
            sum(others[at] > by_dataset[method][at] for others in by_dataset.values()) + 1
            for at in range(6)
        ]
        assert table.loc[method, "mean_rank"] == pytest.approx(np.mean(ranks))
    assert table["best"].to_dict() == {"best": True, "middle": False, "worst": False}
    assert (table["datasets"] == 6).all()
    expected = friedmanchisquare(*by_dataset.values()).pvalue
    assert table["friedman_p_value"].tolist() == pytest.approx([expected] * 3)
    assert table["critical_difference"].tolist() == pytest.approx([critical_difference(3, 6)] * 3)


def test_equal_methods_share_a_rank_and_are_all_best() -> None:
    made = study(3, 40, {"a": 0.1})
    for setting in made.settings:
        for twin in ("b", "c"):
            setting.slm.scores[twin] = setting.slm.scores["a"]  # type: ignore[index]
    table = ranks_table(made)
    assert table["mean_rank"].tolist() == [2, 2, 2]
    assert table["best"].all()
    assert table["friedman_p_value"].isna().all()


def test_a_rarely_present_method_does_not_cost_the_others_their_datasets() -> None:
    made = study(5, 40, {"a": 0.1, "b": 0.2, "rare": 0.3})
    for setting in made.settings[2:]:
        del setting.slm.scores["rare"]  # type: ignore[attr-defined]
    table = ranks_table(made)
    assert table["method"].tolist() == ["a", "b"]
    assert (table["datasets"] == 5).all()
    assert table["friedman_p_value"].isna().all()  # it takes three methods


def test_one_dataset_has_no_critical_difference() -> None:
    table = ranks_table(study(1, 40, {"a": 0.1, "b": 0.2, "c": 0.3}))
    assert table["critical_difference"].isna().all()
    assert sorted(table["mean_rank"]) == [1, 2, 3]
