"""Routing curves: the lines are those of the tables, and what is missing is said."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
from made_tables import made_tables
from readable_figures import Drawings, assert_readable, drawn, panels

from slmroute_plugin.analysis.tables.tables import Tables

SVG = "{http://www.w3.org/2000/svg}"


def test_a_routing_curve_is_that_of_the_table(small: Tables, few: Drawings) -> None:
    figure = few["routing_curves_gpt-4.1-mini"]
    for axes, dataset in zip(figure.axes, ("demo_arithmetic", "demo_mmlu"), strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        covered = small.routing[(small.routing["coverage"] >= 0.5)]
        methods = covered[covered["dataset"] == dataset]["method"]
        of_dataset = small.curves[small.curves["dataset"] == dataset]
        of_dataset = of_dataset[of_dataset["method"].isin(methods)]
        assert set(lines) == {"oracle", "random", *methods}
        for method, rows in of_dataset.groupby("method"):
            np.testing.assert_allclose(lines[method].get_xdata(), rows["ratio"])
            np.testing.assert_allclose(lines[method].get_ydata(), rows["accuracy"])
        usual = of_dataset[of_dataset["method"] == "perplexity"]
        np.testing.assert_allclose(lines["random"].get_ydata(), usual["random"])
        np.testing.assert_allclose(lines["oracle"].get_ydata(), usual["oracle"])


def test_the_overview_is_the_mean_over_data_sets_and_llms(large: Tables, many: Drawings) -> None:
    axes = panels(many["routing_curves"])["Qwen2.5-0.5B-Instruct"]
    rows = large.curves[
        (large.curves["slm"] == "Qwen__Qwen2.5-0.5B-Instruct")
        & (large.curves["method"] == "p_true")
    ]
    by_hand = rows["accuracy"].to_numpy().reshape(15 * 2, 101).mean(axis=0)
    line = next(line for line in axes.get_lines() if line.get_label() == "p_true")
    np.testing.assert_allclose(line.get_ydata(), by_hand)


def test_lines_of_methods_differ_in_more_than_colour(few: Drawings) -> None:
    figure = few["routing_curves"]
    (axes,) = figure.axes
    lines = {f"line-{place}": line for place, line in enumerate(axes.get_lines())}
    for name, line in lines.items():
        line.set_gid(name)
    drawing = io.BytesIO()
    figure.savefig(drawing, format="svg")
    # An SVG is laid out at another resolution, and other tests measure this figure.
    figure.draw_without_rendering()
    styles = {}
    for group in ElementTree.fromstring(drawing.getvalue()).iter(f"{SVG}g"):
        if line := lines.get(group.get("id", "")):
            path = group.find(f"{SVG}path")
            assert path is not None
            dashes = re.search("stroke-dasharray: ([^;]*)", path.get("style", ""))
            styles[line.get_label()] = (dashes and dashes[1], line.get_marker())
    assert styles.keys() == {line.get_label() for line in lines.values()}
    assert len(set(styles.values())) == len(styles)


def test_a_setting_without_a_defined_curve_says_so(small: Tables) -> None:
    curves = small.curves.copy()
    curves.loc[curves["dataset"] == "demo_mmlu", ["accuracy", "random", "oracle"]] = np.nan
    figure = drawn(replace(small, curves=curves))["routing_curves_gpt-4.1-mini"]
    assert "undefined" in [text.get_text() for text in figure.axes[1].texts]
    assert any(patch.get_hatch() for patch in figure.axes[1].patches)
    assert_readable("undefined", figure)


def test_a_mean_over_fewer_settings_is_noted() -> None:
    tables = made_tables(("tiny",), ("a", "b", "c"), ("p_true", "perplexity"), ("big",))
    missing = (tables.curves["dataset"] == "b") & (tables.curves["method"] == "p_true")
    figure = drawn(replace(tables, curves=tables.curves[~missing]))["routing_curves"]
    notes = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "p_true is over fewer settings in tiny (2 of 3)." in notes
