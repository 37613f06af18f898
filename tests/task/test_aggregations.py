"""Aggregations for lm-eval's table."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from slmroute_plugin.task.aggregations import (
    Covered,
    aggregation_for,
    auroc,
    distinct,
    mean_of_known,
)

pairs = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(0, 1)), st.sampled_from([0.0, 1.0])), min_size=1
)


def test_auroc_by_hand() -> None:
    # Of the four pairs of a right and a wrong answer, three are in order and one is tied.
    assert auroc([[0.9, 1], [0.5, 1], [0.5, 0], [0.1, 0]]) == pytest.approx(3.5 / 4)


def test_one_class_is_undefined_and_says_so() -> None:
    assert auroc([[0.9, 1], [0.1, 1]]) == "undefined"
    assert auroc([[0.9, 1], [None, 0]]) == "undefined"
    assert mean_of_known([None]) == "undefined"


def test_what_was_not_answered_is_left_out() -> None:
    found = auroc([[0.9, 1], [0.1, 0], [0.5, None]])
    assert isinstance(found, Covered)
    assert (found, found.coverage) == (1.0, pytest.approx(2 / 3))
    assert mean_of_known([1.0, 0.0, None, None]) == 0.5


@given(pairs)
def test_auroc_is_that_of_the_rows_with_a_confidence(
    items: list[tuple[float | None, float]],
) -> None:
    found = auroc(items)
    known = [(c, y) for c, y in items if c is not None]
    if len({y for _, y in known}) < 2:
        assert found == "undefined"
        return
    assert isinstance(found, Covered)
    assert found == pytest.approx(roc_auc_score([y for _, y in known], [c for c, _ in known]))
    assert found.coverage == pytest.approx(len(known) / len(items))
    assert auroc(list(reversed(items))) == pytest.approx(found)


def test_the_coverage_is_printed_beside_the_figure_and_kept_out_of_json() -> None:
    figure = mean_of_known([0.5, None])
    assert f"{figure:.4f}" == "0.5000 (on 50.0%)"
    assert f"{Covered(0.5):.4f}" == "0.5000"
    assert json.dumps(figure) == "0.5"


def test_every_column_has_an_aggregation() -> None:
    assert aggregation_for("acc")([0.0, 1.0]) == 0.5
    assert aggregation_for("acc/verbalization_1s")([1.0]) == 1.0
    assert aggregation_for("answer")(["B", None]) == 0.5
    assert aggregation_for("scored_by")(["b", "a", "b"]) == "a, b" == distinct(["a", "b"])
    assert aggregation_for("no_confidence")([{}, {"m": "why"}]) == 0.5
    assert aggregation_for("confidence/m")([0.25, 0.75]) == 0.5
    assert np.isclose(float(aggregation_for("auroc/m")([[1, 1], [0, 0]])), 1.0)
