"""The heat maps: AUROC, coverage, cross-fitting, and what is undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from readable_figures import Drawings, assert_readable, drawn, panels

from slmroute_plugin.analysis.tables.tables import Tables


def test_an_undefined_cell_is_hatched_and_says_so(small: Tables) -> None:
    alignment = small.alignment.copy()
    at = alignment.index[(alignment["method"] == "p_true") & (alignment["dataset"] == "demo_mmlu")]
    alignment.loc[at, ["auroc", "auroc_low", "auroc_high"]] = np.nan
    alignment = alignment[
        ~((alignment["method"] == "perplexity") & (alignment["dataset"] == "demo_mmlu"))
    ]
    figure = drawn(replace(small, alignment=alignment))["auroc_other"]
    cells = {
        (round(text.get_position()[0] - 0.5), text.get_text())
        for text in panels(figure)["demo_mmlu"].texts
    }
    order = sorted(set(small.alignment["method"]))
    assert (order.index("p_true"), "undef.") in cells
    assert (order.index("perplexity"), "none") in cells
    hatched = [patch for patch in panels(figure)["demo_mmlu"].patches if patch.get_hatch()]
    of_dataset = alignment[alignment["dataset"] == "demo_mmlu"].set_index("method")["auroc"]
    undefined = set(order) - set(of_dataset.dropna().index)
    assert {order[round(patch.get_x())] for patch in hatched} == undefined
    assert any("Hatched: undefined" in text.get_text() for text in figure.texts)
    assert_readable("auroc_other", figure)


def test_a_heat_map_shows_auroc_coverage_and_cross_fitting(large: Tables, many: Drawings) -> None:
    figure = next(f for n, f in many.items() if "math" in n and "math500" in panels(f))
    axes = panels(figure)["math500"]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = sorted(set(large.alignment["method"]))
    written = {
        (round(x - 0.5), int(y)): text.get_text()
        for text in axes.texts
        for x, y in [text.get_position()]
        if not text.get_text().endswith("%")
    }
    of_dataset = large.alignment[large.alignment["dataset"] == "math500"]
    assert len(written) == len(of_dataset) == len(rows) * len(columns)
    for row in of_dataset.itertuples():
        place = columns.index(row.method), rows.index(row.slm.split("__")[1])
        mark = "†" if row.method == "trained_probe" else ""
        expected = "undef." if np.isnan(row.auroc) else f"{row.auroc:.2f}{mark}"
        assert written[place] == expected
    assert any("† cross-fitted" in text.get_text() for text in figure.texts)
