"""The envelope: the lines and marks are those of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from readable_figures import Drawings, assert_readable, drawn, panels

from slmroute_plugin.analysis.tables.tables import Tables

BUDGETS = np.geomspace(0.01, 1, 5)


def rows(dataset: str, llms: Sequence[str]) -> pd.DataFrame:
    """Five budgets: a model alone, three times routing to one of the LLMs, and a model alone."""
    accuracy = np.asarray([0.5, 0.55, 0.6, 0.65, 0.7])
    named: dict[str, Any] = {
        "dataset": dataset,
        "budget_usd": BUDGETS,
        "slm": ["s", "s", "s", "s", ""],
        "method": ["", "perplexity", "perplexity", "perplexity", ""],
        "llm": ["", llms[0], llms[0], llms[-1], llms[-1]],
    }
    return pd.DataFrame(
        named
        | {"accuracy": accuracy, "accuracy_low": accuracy - 0.05, "accuracy_high": accuracy + 0.05}
        | {"cost_usd": 0.9 * BUDGETS, "accuracy_single": 0.5, "gain_mixed": 0.02}
    )


def with_envelope(tables: Tables, datasets: Sequence[str]) -> Tables:
    llms = sorted(tables.curves["llm"].unique())
    savings = [
        pd.DataFrame(
            {"dataset": name, "model": ["s", llms[-1]], "cost_model_usd": [0.01, 1.0]}
            | {"accuracy_model": [0.5, 0.7]}
        )
        for name in datasets
    ]
    return replace(
        tables,
        envelope=pd.concat([rows(name, llms) for name in datasets]),
        savings=pd.concat(savings),
    )


@pytest.fixture(scope="module")
def figures(small: Tables) -> Drawings:
    return drawn(with_envelope(small, ["demo_arithmetic", "demo_mmlu", "(all)"]))


def test_each_line_is_that_of_the_table(figures: Drawings) -> None:
    shown = panels(figures["envelope"])
    assert list(shown) == ["mean over data sets", "demo_arithmetic", "demo_mmlu"]
    lines = {line.get_label(): line for line in shown["demo_mmlu"].get_lines()}
    np.testing.assert_allclose(lines["best"].get_xdata(), BUDGETS)
    np.testing.assert_allclose(lines["best"].get_ydata(), [0.5, 0.55, 0.6, 0.65, 0.7])
    np.testing.assert_allclose(lines["single"].get_ydata(), 0.5)
    np.testing.assert_allclose(lines["mixed"].get_xdata(), 0.9 * BUDGETS)
    np.testing.assert_allclose(lines["mixed"].get_ydata()[-1], 0.68)
    np.testing.assert_allclose(lines["models"].get_xdata(), [0.01, 1])
    # Marks tell routing to an LLM from a model alone.
    np.testing.assert_allclose(lines["best "].get_xdata(), BUDGETS[[0, 4]])
    np.testing.assert_allclose(lines["best gpt-4.1-mini"].get_xdata(), BUDGETS[1:4])
    assert shown["demo_mmlu"].get_xscale() == "log"


def test_it_can_be_read(figures: Drawings) -> None:
    assert_readable("envelope", figures["envelope"])


def test_many_data_sets_are_on_pages_that_can_be_read(large: Tables) -> None:
    datasets = [*large.curves["dataset"].unique(), "(all)"]
    pages = {
        name: figure
        for name, figure in drawn(with_envelope(large, datasets)).items()
        if name.startswith("envelope")
    }
    assert list(pages) == ["envelope_page_1", "envelope_page_2"]
    for name, figure in pages.items():
        assert_readable(name, figure)


def test_a_free_model_has_an_axis_in_dollars(small: Tables) -> None:
    tables = with_envelope(small, ["demo_mmlu"])
    free = tables.envelope.assign(budget_usd=np.linspace(0, 1, 5))
    figures = drawn(replace(tables, envelope=free))
    assert panels(figures["envelope"])["demo_mmlu"].get_xscale() == "linear"
    assert_readable("envelope", figures["envelope"])


def test_without_prices_there_is_no_such_figure(few: Drawings) -> None:
    assert not [name for name in few if name.startswith("envelope")]
