"""Accuracy over total cost: the lines and points are those of the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from readable_figures import Drawings, assert_readable, drawn, panels

from slmroute_plugin.analysis.tables.tables import Tables

NAME = "cost_curves_gpt-4.1-mini"


@pytest.fixture(scope="module")
def priced(small: Tables) -> Tables:
    """The small study with prices: the LLM takes 2 dollars, the SLM 0.2 and each method 0.1."""
    routing = small.routing.assign(
        cost_llm_usd=2.0, cost_slm_usd=0.2, cost_method_usd=0.1, break_even=0.85
    )
    curves = small.curves.assign(total_cost_usd=0.3 + 2.0 * small.curves["ratio"])
    return replace(small, routing=routing, curves=curves)


@pytest.fixture(scope="module")
def figures(priced: Tables) -> Drawings:
    return drawn(priced)


def test_each_method_starts_at_its_own_cost_beside_both_models(
    priced: Tables, figures: Drawings
) -> None:
    (axes,) = panels(figures[NAME]).values()
    lines = {line.get_label(): line for line in axes.get_lines()}
    covered = priced.routing[priced.routing["coverage"] >= 0.5]
    usual = priced.curves[priced.curves["method"] == "perplexity"].groupby("ratio")
    np.testing.assert_allclose(lines["perplexity"].get_xdata(), 0.15 + np.linspace(0, 1, 101))
    np.testing.assert_allclose(lines["perplexity"].get_ydata(), usual["accuracy"].mean())
    np.testing.assert_allclose(lines["mixtures"].get_xdata(), [0.1, 1.0])
    both = covered[["accuracy_slm", "accuracy_llm"]].mean()
    np.testing.assert_allclose(lines["mixtures"].get_ydata(), both, atol=0.02)
    assert_readable(NAME, figures[NAME])


def test_without_prices_there_is_no_such_figure(few: Drawings) -> None:
    assert not [name for name in few if name.startswith("cost_curves")]
