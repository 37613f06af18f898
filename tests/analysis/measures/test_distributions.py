"""Distances between distributions of confidence, and what they depend on."""

from __future__ import annotations

from itertools import product
from math import log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from slmroute_plugin.analysis.measures.distributions import distributions_table, insight_table
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun


def study_of(cells: dict[tuple[str, str, str], list[float]]) -> Study:
    """By SLM, data set and method: the confidences."""
    settings = []
    for slm, dataset in sorted({(slm, dataset) for slm, dataset, _ in cells}):
        scores = {
            method: Scores(np.array(values, np.float64), np.zeros(len(values), bool))
            for (of_slm, of_dataset, method), values in cells.items()
            if (of_slm, of_dataset) == (slm, dataset)
        }
        n = max(len(each.confidence) for each in scores.values())
        run = TaskRun(
            slm, dataset, np.arange(n), np.zeros(n, "S1"), np.zeros(n, bool), np.zeros(n), scores
        )
        settings.append(Setting(run, {}))
    return Study(settings)


def study_with_effects(slms: list[float], datasets: list[float], methods: list[float]) -> Study:
    """Confidences of a mean that is 0.5 and the sum of three effects, and 30 to a cell."""
    draw = np.random.default_rng(0)
    return study_of(
        {
            (f"s{i}", f"d{j}", f"m{k}"): list(
                np.clip(0.5 + a + b + c + 0.02 * draw.normal(size=30), 0, 1)
            )
            for (i, a), (j, b), (k, c) in product(
                enumerate(slms), enumerate(datasets), enumerate(methods)
            )
        }
    )


def test_distances_by_hand() -> None:
    table = distributions_table(
        study_of({("s", "d1", "m"): [0.1, 0.1], ("s", "d2", "m"): [0.1, 0.6, np.nan]})
    )
    rows = table.set_index("measure")
    assert rows.loc["wasserstein", "distance"] == pytest.approx(0.25)
    # Histograms (1, 0) and (½, ½), mean (¾, ¼): the divergence is half of
    # log2(4/3) + ½·log2(2/3) + ½·log2(2).
    divergence = (log2(4 / 3) + 0.5 * log2(2 / 3) + 0.5) / 2
    assert rows.loc["jensen_shannon", "distance"] == pytest.approx(sqrt(divergence))
    assert rows.loc["wasserstein"].drop("distance").tolist() == [
        "datasets", "s", "d1", "m", "s", "d2", "m",
    ]  # fmt: skip


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_distances_are_scipys(a: list[float], b: list[float]) -> None:
    table = distributions_table(study_of({("s", "d1", "m"): a, ("s", "d2", "m"): b}))
    wasserstein, jensen_shannon = table["distance"]
    assert wasserstein == pytest.approx(wasserstein_distance(a, b), abs=1e-12)
    of_a, of_b = (np.histogram(one, bins=[k / 20 for k in range(21)])[0] for one in (a, b))
    expected = np.nan_to_num(jensenshannon(of_a, of_b, base=2))
    assert jensen_shannon == pytest.approx(expected, abs=1e-7)


def test_pairs_differ_in_one_thing() -> None:
    table = distributions_table(study_with_effects([0, 0.1], [0, 0.1, 0.2], [0, 0.1]))
    pairs = table[table["measure"] == "wasserstein"]
    assert pairs["between"].value_counts().to_dict() == {"datasets": 12, "slms": 6, "methods": 6}
    for row in pairs.itertuples():
        differs = {
            "slms": row.slm_a != row.slm_b,
            "datasets": row.dataset_a != row.dataset_b,
            "methods": row.method_a != row.method_b,
        }
        assert [name for name, does in differs.items() if does] == [row.between]


def test_cells_without_a_confidence_are_left_out() -> None:
    table = distributions_table(
        study_of({("s", "d1", "m"): [np.nan, np.nan], ("s", "d2", "m"): [0.5, 0.5]})
    )
    assert table.empty
    insight = insight_table(table)
    assert insight["pairs"].tolist() == [0] * 6
    assert insight[["mean_distance", "difference", "p_value"]].isna().all(axis=None)


def test_slms_and_methods_that_matter_more_than_datasets_are_found() -> None:
    table = insight_table(
        distributions_table(
            study_with_effects(
                [-0.2, -0.1, 0.0, 0.1, 0.2], [-0.01, 0.0, 0.0, 0.0, 0.01], [-0.15, -0.1, 0.1, 0.15]
            )
        )
    )
    rows = table.set_index(["measure", "between"])
    for measure in ("wasserstein", "jensen_shannon"):
        for between in ("slms", "methods"):
            assert rows.loc[(measure, between), "difference"] > 0.05
            assert rows.loc[(measure, between), "p_value"] < 0.05
        assert rows.loc[(measure, "datasets"), "difference"] == 0
        assert np.isnan(rows.loc[(measure, "datasets"), "p_value"])


def test_datasets_that_matter_more_are_no_evidence_for_slms() -> None:
    table = insight_table(
        distributions_table(
            study_with_effects([-0.01, 0, 0.01], [-0.3, -0.1, 0.1, 0.3], [-0.1, 0, 0.1])
        )
    )
    slms = table[table["between"] == "slms"]
    assert (slms["difference"] < 0).all()
    assert (slms["p_value"] > 0.9).all()


def test_where_both_matter_alike_few_p_values_are_small() -> None:
    p_values = []
    for seed in range(50):
        draw = np.random.default_rng(seed)
        slms, datasets = 0.1 * draw.normal(size=5), 0.1 * draw.normal(size=5)
        made = study_with_effects(list(slms), list(datasets), [0.0])
        distances = distributions_table(made).query("measure == 'wasserstein'")
        insight = insight_table(distances, permutations=999)
        p_values.append(insight["p_value"][1])
    assert np.mean(np.array(p_values) < 0.05) < 0.14
    assert 0.08 < np.mean(np.array(p_values) < 0.2) < 0.35


def test_all_permutations_are_enumerated_if_they_are_few() -> None:
    made = study_with_effects([-0.3, 0, 0.3], [-0.01, 0, 0.01], [0.0])
    p_values = [
        insight_table(distributions_table(made), seed=seed)["p_value"][1] for seed in (0, 1)
    ]
    assert p_values[0] == p_values[1]
    assert p_values[0] * 20 == pytest.approx(round(p_values[0] * 20))  # 6 choose 3


def test_drawn_permutations_depend_on_the_seed_alone_and_are_never_zero() -> None:
    spread = list(np.linspace(-0.3, 0.3, 10))
    distances = distributions_table(study_with_effects(spread, [0.0] * 10, [0.0]))
    one = insight_table(distances, permutations=99)
    assert one.equals(insight_table(distances, permutations=99))
    assert one["p_value"][1] == pytest.approx(1 / 100)


def test_two_slms_are_too_few_for_a_p_value() -> None:
    table = insight_table(
        distributions_table(study_with_effects([0, 0.3], [0, 0.01, 0.02], [0, 0.1, 0.2]))
    )
    rows = table[table["measure"] == "wasserstein"].set_index("between")
    assert rows.loc["slms", "difference"] > 0.2
    assert np.isnan(rows.loc["slms", "p_value"])
    assert not np.isnan(rows.loc["methods", "p_value"])
