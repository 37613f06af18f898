"""Lines and cells over few of the questions do not stand beside those over all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_tables import made_tables
from matplotlib.figure import Figure
from readable_figures import assert_readable, drawn, panels

from slmroute_plugin.analysis.figures.coverage import left_out
from slmroute_plugin.analysis.figures.heat_maps import UNCOLOURED
from slmroute_plugin.analysis.tables.tables import Tables


def covered(tables: Tables, coverage: dict[tuple[str, str], float]) -> Tables:
    """The tables, where p_true of an SLM on a data set has a confidence for that share."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        for (slm, dataset), share in coverage.items():
            of = (table["slm"] == slm) & (table["dataset"] == dataset)
            table.loc[of & (table["method"] == "p_true"), "coverage"] = share
        return table

    return replace(tables, alignment=changed(tables.alignment), routing=changed(tables.routing))


@pytest.fixture
def tables() -> Tables:
    """Two SLMs on two data sets by two methods, with a confidence for every answer."""
    return made_tables(("one", "two"), ("a", "b"), ("p_true", "perplexity"), ("big",))


def lines(figure: Figure, panel: str) -> set[str]:
    return {str(line.get_label()) for line in panels(figure)[panel].get_lines()}


def key(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def notes(figure: Figure) -> str:
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


def routing_rows(coverages: list[float]) -> pd.DataFrame:
    datasets = [str(number) for number in range(len(coverages))]
    return pd.DataFrame(
        {"slm": "s", "llm": "l", "dataset": datasets, "method": "m", "coverage": coverages}
    )


def test_a_line_is_left_out_below_half_of_the_questions() -> None:
    assert left_out(routing_rows([0.499]), ["m"], "leave-out") == {"m": 0.499}
    assert left_out(routing_rows([0.5]), ["m"], "leave-out") == {}
    # The mean over settings of (0.2 + 0.4 + 1) / 3.
    assert left_out(routing_rows([0.2, 0.4, 1.0]), ["m"], "leave-out") == {}
    shares = left_out(routing_rows([0.2, 0.4]), ["m"], "leave-out")
    assert shares == {"m": pytest.approx(0.3)}
    assert left_out(routing_rows([0.2, 0.4]), ["m"], "route") == {}


def test_a_setting_without_any_confidence_counts_as_nothing() -> None:
    rows = pd.concat([routing_rows([0.9]), routing_rows([1.0, 1.0]).assign(method="whole")])
    shares = left_out(rows, ["m", "whole", "never"], "leave-out")
    assert shares == {"m": pytest.approx(0.45), "never": 0.0}


@pytest.mark.parametrize("name", ["routing_curves", "relative_accuracy"])
def test_a_line_over_few_questions_is_in_the_legend_alone(tables: Tables, name: str) -> None:
    few = {(slm, dataset): 0.02 for slm in ("one", "two") for dataset in ("a", "b")}
    figure = drawn(covered(tables, few))[name]
    for slm in ("one", "two"):
        assert "perplexity" in lines(figure, slm)
        assert "p_true" not in lines(figure, slm)
    assert "p_true (on 2%): not drawn" in key(figure)
    assert "fewer than 50% of the questions" in notes(figure)
    assert_readable(name, figure)


@pytest.mark.parametrize("name", ["routing_curves", "relative_accuracy"])
def test_a_line_that_is_missing_in_one_panel_is_noted_with_its_coverage(
    tables: Tables, name: str
) -> None:
    few = {("one", "a"): 0.2, ("one", "b"): 0.4, ("two", "a"): 0.4}
    figure = drawn(covered(tables, few))[name]
    assert "p_true" not in lines(figure, "one")
    assert "p_true" in lines(figure, "two")
    assert "p_true (on 20–100%)" in key(figure)
    assert "p_true is missing in one (30%)." in notes(figure)


def test_a_panel_of_which_all_lines_are_over_few_questions_says_so(tables: Tables) -> None:
    alone = replace(
        tables,
        **{
            name: table[table["method"] == "p_true"]
            for name in ("alignment", "routing", "curves", "relative_accuracy", "histograms")
            for table in [getattr(tables, name)]
        },
    )
    few = {("one", dataset): 0.1 for dataset in ("a", "b")}
    for name in ("routing_curves", "relative_accuracy"):
        axes = panels(drawn(covered(alone, few))[name])["one"]
        assert "too few confidences" in [text.get_text() for text in axes.texts]
        assert not axes.get_lines()


def test_a_method_without_any_confidence_in_a_panel_is_noted(tables: Tables) -> None:
    def without(table: pd.DataFrame) -> pd.DataFrame:
        return table[(table["slm"] != "one") | (table["method"] != "p_true")]

    cut = replace(tables, curves=without(tables.curves), routing=without(tables.routing))
    assert "p_true is missing in one (0%)." in notes(drawn(cut)["routing_curves"])


def test_a_data_set_with_few_confidences_is_part_of_the_bars_without_a_line(
    tables: Tables,
) -> None:
    figure = drawn(covered(tables, {("one", "a"): 0.25}))["distributions_one"]
    assert lines(figure, "p_true (on 25–100%)") == {"b"}
    assert lines(figure, "perplexity") == {"a", "b"}
    rows = tables.histograms[
        (tables.histograms["slm"] == "one") & (tables.histograms["method"] == "p_true")
    ]
    share = {dataset: of["share"].to_numpy() for dataset, of in rows.groupby("dataset")}
    bars = [bar.get_height() for bar in panels(figure)["p_true (on 25–100%)"].patches]
    np.testing.assert_allclose(bars, (share["a"] + 4 * share["b"]) / 5)
    assert "p_true (1 of 2, on 25%)" in notes(figure)


def test_a_cell_over_few_questions_has_its_figure_and_no_colour(tables: Tables) -> None:
    few = covered(tables, {("two", "a"): 0.25})
    figure = drawn(few)["auroc_other"]
    axes = panels(figure)["a"]
    # Rows are SLMs, columns methods, both in alphabetical order: "two" is 1, "p_true" is 0.
    (ground,) = [patch for patch in axes.patches if not patch.get_hatch()]
    assert (ground.get_x(), ground.get_y()) == (0, 1)
    assert ground.get_facecolor()[:3] == pytest.approx([int(UNCOLOURED[1:3], 16) / 255] * 3)
    (mesh,) = axes.collections
    np.testing.assert_array_equal(
        np.ma.getmaskarray(mesh.get_array()).reshape(2, 2), [[False, False], [True, False]]
    )
    of = few.alignment
    auroc = of[(of["slm"] == "two") & (of["dataset"] == "a") & (of["method"] == "p_true")]["auroc"]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[0.5, 1.34] == f"{auroc.item():.2f}"
    assert written[0.5, 1.76] == "25%"
    assert "on fewer than 50%" in key(figure)
    assert "on fewer than 50%" not in key(drawn(tables)["auroc_other"])
