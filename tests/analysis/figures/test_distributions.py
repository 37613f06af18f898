"""How confident a model is: each data set's line, and the bars over all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from readable_figures import Drawings, panels

from slmroute_plugin.analysis.figures.distributions import pooled
from slmroute_plugin.analysis.tables.tables import Tables


def test_a_distribution_has_a_line_per_data_set_and_bars_for_all(
    small: Tables, few: Drawings
) -> None:
    figure = few["distributions_HuggingFaceTB_SmolLM2-1.7B-Instruct"]
    axes = panels(figure)["perplexity"]
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    rows = small.histograms[small.histograms["method"] == "perplexity"]
    shares = {dataset: of["share"].to_numpy() for dataset, of in rows.groupby("dataset")}
    assert set(lines) == set(shares)
    for dataset, share in shares.items():
        np.testing.assert_allclose(lines[dataset], share)
    # Both data sets have 300 answers with a confidence.
    bars = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(bars, sum(shares.values()) / 2)
    np.testing.assert_allclose(sum(bars), 1)


def test_the_pooled_histogram_weighs_data_sets_by_their_confidences() -> None:
    histograms = pd.DataFrame(
        {"dataset": ["a", "a", "b", "b"], "low": [0.0, 0.5] * 2, "share": [1.0, 0.0, 0.25, 0.75]}
    )
    alignment = pd.DataFrame({"dataset": ["a", "b"], "n": [100, 600], "coverage": [1.0, 0.5]})
    np.testing.assert_allclose(pooled(histograms, alignment), [0.25 + 0.75 / 4, 0.75 * 0.75])
