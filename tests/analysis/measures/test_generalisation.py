"""Thresholds from all other data sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.analysis.measures.generalisation import generalisation_table
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun


def setting(task: str, confidence: list[float], slm: list[int], llm: list[int]) -> Setting:
    n = len(confidence)
    known, right, stronger = (
        np.array(confidence, np.float64), np.array(slm, bool), np.array(llm, bool),
    )  # fmt: skip

    def run(model: str, correct: np.ndarray, scores: Mapping[str, Scores]) -> TaskRun:
        return TaskRun(
            model, task, np.arange(n), np.zeros(n, "S1"), correct, np.full(n, np.nan), scores
        )

    return Setting(
        run("small", right, {"m": Scores(known, right, f"on {task}")}),
        {"large": run("large", stronger, {})},
    )


HELD_OUT = setting("c", [0.1, 0.3, 0.5, 0.7], slm=[0, 1, 0, 1], llm=[1, 0, 1, 1])


def test_a_held_out_data_set_by_hand() -> None:
    # Of `a` 2 rows, of `b` 8: each counts one half. The threshold 0.5 routes ½ of `a` and ⅛ of
    # `b`, 5/16 in all; the next, 0.65, ½ and ¼: 6/16.
    study = Study(
        [
            setting("a", [0.2, 0.95], [0, 1], [1, 1]),
            setting("b", [0.4, 0.6, 0.7, 0.8, 0.81, 0.82, 0.83, 0.84], [0] * 8, [1] * 8),
            HELD_OUT,
        ]
    )
    table = generalisation_table(study, targets=[0.35])
    row = next(table[table["dataset"] == "c"].itertuples())
    assert (row.slm, row.method, row.llm, row.target_ratio) == ("small", "m", "large", 0.35)
    assert row.fitted_on == "on c"
    assert row.threshold == pytest.approx(0.5)
    assert row.realised_ratio == 0.5
    assert row.accuracy == 0.5  # LLM: right, wrong; SLM: wrong, right
    assert row.own_threshold == pytest.approx(0.2)
    assert row.own_ratio == 0.25
    assert row.own_accuracy == 0.75
    assert row.random_accuracy == pytest.approx(0.5 + 0.5 * (0.75 - 0.5))


def test_the_size_of_a_data_set_does_not_matter() -> None:
    small = setting("a", [0.2, 0.9], [0, 1], [1, 1])
    large = setting("a", [0.2, 0.9] * 50, [0, 1] * 50, [1, 1] * 50)
    other = setting("b", [0.4, 0.6, 0.8], [0, 0, 1], [1, 1, 1])
    tables = [generalisation_table(Study([one, other, HELD_OUT])) for one in (small, large)]
    held_out = [table[table["dataset"] == "c"].reset_index(drop=True) for table in tables]
    assert held_out[0].equals(held_out[1])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
)
def test_own_ratios_keep_to_the_target_and_from_the_same_data_the_thresholds_agree(
    first: list[float], second: list[float]
) -> None:
    def answered(task: str, confidence: list[float]) -> Setting:
        right = [at % 2 for at in range(len(confidence))]
        return setting(task, confidence, right, [1] * len(confidence))

    made = [answered("a", first), answered("b", second), answered("c", second)]
    table = generalisation_table(Study(made))
    assert len(table) == 27
    assert (table["own_ratio"] <= table["target_ratio"] + 1e-9).all()
    assert table["realised_ratio"].between(0, 1).all()
    twins = generalisation_table(Study(made[1:]))
    assert np.allclose(twins["realised_ratio"], twins["own_ratio"])
    assert np.allclose(twins["accuracy"], twins["own_accuracy"])


def test_unknown_confidences_are_left_out_or_routed() -> None:
    def made() -> Study:
        return Study(
            [
                setting("a", [np.nan, 0.5, 0.6, 0.7], [0, 0, 1, 1], [1, 1, 1, 1]),
                setting("b", [np.nan, 0.5, 0.6, 0.7], [0, 0, 1, 1], [1, 1, 1, 1]),
            ]
        )

    left_out = generalisation_table(made(), targets=[0.4])
    assert left_out["realised_ratio"].tolist() == pytest.approx([1 / 3] * 2)
    assert left_out["accuracy"].tolist() == [1, 1]
    routed = generalisation_table(made(), unparsed_routed=True, targets=[0.2, 0.5])
    assert routed["realised_ratio"].tolist() == [0.25, 0.5] * 2
    assert routed["accuracy"].tolist() == [0.75, 1] * 2
    assert routed["threshold"].tolist() == pytest.approx([0, 0.55] * 2)


def test_a_single_data_set_has_no_others() -> None:
    assert generalisation_table(Study([HELD_OUT])).empty
    unknown = setting("d", [np.nan], [0], [1])
    assert generalisation_table(Study([HELD_OUT, unknown]), unparsed_routed=True).empty
