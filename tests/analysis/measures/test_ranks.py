"""Mean ranks of methods, by hand and by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from blurred_study import blurred_study
from scipy.stats import friedmanchisquare

from slmroute_plugin.analysis.measures.bootstrap_areas import Routable, areas
from slmroute_plugin.analysis.measures.ranks import critical_difference, ranks_table


@pytest.mark.parametrize(
    # Demšar 2006, table 5 (a): q at 0.05.
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (5, 2.728), (8, 3.031), (10, 3.164)],
)
def test_critical_differences_are_those_of_the_printed_table(methods: int, q: float) -> None:
    expected = q * (methods * (methods + 1) / (6 * 14)) ** 0.5
    assert critical_difference(methods, 14) == pytest.approx(expected, rel=5e-4)


def test_ranks_by_hand_and_friedman_by_scipy() -> None:
    made = blurred_study(6, 200, {"best": 0.02, "middle": 0.5, "worst": 30.0})
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
    made = blurred_study(3, 40, {"a": 0.1})
    for setting in made.settings:
        for twin in ("b", "c"):
            setting.slm.scores[twin] = setting.slm.scores["a"]  # type: ignore[index]
    table = ranks_table(made)
    assert table["mean_rank"].tolist() == [2, 2, 2]
    assert table["best"].all()
    assert table["friedman_p_value"].isna().all()


def test_a_rarely_present_method_does_not_cost_the_others_their_datasets() -> None:
    made = blurred_study(5, 40, {"a": 0.1, "b": 0.2, "rare": 0.3})
    for setting in made.settings[2:]:
        del setting.slm.scores["rare"]  # type: ignore[attr-defined]
    table = ranks_table(made)
    assert table["method"].tolist() == ["a", "b"]
    assert (table["datasets"] == 5).all()
    assert table["friedman_p_value"].isna().all()  # it takes three methods


def test_one_dataset_has_no_critical_difference() -> None:
    table = ranks_table(blurred_study(1, 40, {"a": 0.1, "b": 0.2, "c": 0.3}))
    assert table["critical_difference"].isna().all()
    assert sorted(table["mean_rank"]) == [1, 2, 3]
