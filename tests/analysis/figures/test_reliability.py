"""Reliability diagrams: points that are pooled over data sets, and the errors beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from readable_figures import Drawings, panels

from slmroute_plugin.analysis.figures.reliability import LEAST_ANSWERS, ece_in_words, pooled
from slmroute_plugin.analysis.tables.tables import Tables

NAME = "reliability_HuggingFaceTB_SmolLM2-1.7B-Instruct"


def test_a_panel_has_a_line_for_each_kind_of_map(small: Tables, few: Drawings) -> None:
    axes = panels(few[NAME])["perplexity"]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == {"_diagonal", "as is", "home", "other data sets"}
    rows = small.reliability[small.reliability["method"] == "perplexity"]
    as_is = rows[rows["map_from"] == "none"]
    # The two data sets have the same diagram, of n = 5 + bin answers each.
    one = as_is[as_is["dataset"] == "demo_mmlu"]
    enough = one[2 * one["n"] >= LEAST_ANSWERS]
    np.testing.assert_allclose(lines["as is"].get_xdata(), enough["confidence"])
    np.testing.assert_allclose(lines["as is"].get_ydata(), enough["accuracy"])
    assert [text.get_text() for text in axes.texts] == ["ECE .20 / .10 / .10"]


def test_the_key_names_what_is_drawn(few: Drawings) -> None:
    (legend,) = few[NAME].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "confidence as it is",
        "mapped by rows of the same data set",
        "mapped by the other data sets alone",
    ]


def test_every_answer_counts_the_same_in_a_pooled_diagram() -> None:
    rows = pd.DataFrame(
        {
            "map_from": ["none", "none", "training rows", "cross-fitted", "other data sets"],
            "bin": [3, 3, 3, 3, 3],
            "n": [10, 30, 20, 20, 5],
            "confidence": [0.2, 0.24, 0.25, 0.21, 0.22],
            "accuracy": [1.0, 0.2, 0.5, 0.0, 0.4],
        }
    )
    total = pooled(rows).set_index("line")
    assert total.loc["as is", "n"] == 40
    assert total.loc["as is", "confidence"] == pytest.approx(0.23)
    assert total.loc["as is", "accuracy"] == pytest.approx(0.4)
    assert total.loc["home", "accuracy"] == pytest.approx(0.25)
    assert total.loc["other data sets", "accuracy"] == pytest.approx(0.4)


def test_an_error_without_a_map_is_a_dash() -> None:
    errors = pd.DataFrame(
        {
            "map_from": ["training rows", "cross-fitted"],
            "ece": [0.1, 0.3],
            "ece_after": [np.nan] * 2,
        }
    )
    assert ece_in_words(errors) == ".20 / – / –"
