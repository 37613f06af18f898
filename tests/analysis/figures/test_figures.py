"""What the figures show, and that it can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from slmroute_plugin.analysis.figures import draw_figures
from slmroute_plugin.analysis.figures.appearance import figure_style
from slmroute_plugin.analysis.figures.catalogue import figures
from slmroute_plugin.analysis.figures.distributions import pooled
from slmroute_plugin.analysis.figures.rank_diagrams import Ranked, cliques
from slmroute_plugin.analysis.tables import Tables

MakeTables = Callable[..., Tables]
Drawings = dict[str, Figure]

HOSTILE = (
    r"$x_y$ \frac{a}{b}",
    "<script>alert('&amp;')</script>]]><!-- -->",
    "_hidden",
    "שלום עולם",
    "org__" + "a-very-long-name-of-a-model-" * 5,
)


def drawn(tables: Tables) -> Drawings:
    """All figures, laid out."""
    with figure_style():
        found = {}
        for one in figures(tables):
            one.figure.draw_without_rendering()
            found[one.name] = one.figure
        return found


@pytest.fixture(scope="module")
def few(small: Tables) -> Drawings:
    return drawn(small)


@pytest.fixture(scope="module")
def many(make_tables: MakeTables) -> tuple[Tables, Drawings]:
    """Fifteen data sets, eight methods, two SLMs and two LLMs."""
    slms = ("Qwen__Qwen2.5-0.5B-Instruct", "meta-llama__Llama-3.2-1B-Instruct")
    tables = make_tables(slms=slms, llms=("gpt-4.1-mini", "deepseek-ai__DeepSeek-R1"))
    return tables, drawn(tables)


@pytest.fixture(scope="module")
def hostile(make_tables: MakeTables) -> Tables:
    """Names that would be read as something else than names."""
    return make_tables(HOSTILE[:2], HOSTILE, HOSTILE, HOSTILE[4:])


def panels(figure: Figure) -> dict[str, Axes]:
    """The panels by their titles."""
    return {axes.get_title() or axes.get_title("left"): axes for axes in figure.axes}


def words(figure: Figure) -> list[Text]:
    """All text that is seen."""
    found = {
        id(text): text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip()
    }
    hidden = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for label in (tick.label1, tick.label2)
        if not axes.axison
        or not label.get_visible()
        or not _in_view(axis.get_view_interval(), tick.get_loc())
    }
    hidden |= {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if not axes.axison
        for label in (axis.label, axis.offsetText)
    }
    return [text for key, text in found.items() if key not in hidden]


def _in_view(view: np.ndarray, place: float) -> bool:
    low, high = sorted(view)
    return bool(low - 1e-9 <= place <= high + 1e-9)


def assert_readable(name: str, figure: Figure) -> None:
    """No text reaches out of the figure, into other text, or into a panel that is not its own."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    edges = figure.bbox
    boxes = [(text, text.get_window_extent(renderer)) for text in words(figure)]
    for text, box in boxes:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= edges.x1 + 1 and box.y1 <= edges.y1 + 1
        assert inside, f"{name}: {text.get_text()!r} is cut off"
        assert text.get_size() >= 5, f"{name}: {text.get_text()!r} is too small"
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        upwards = min(a.y1, b.y1) - max(a.y0, b.y0)
        # Boxes hold room for ascenders and descenders that the text may not have.
        assert across < 1 or upwards < 2, f"{name}: {one.get_text()!r} is on {other.get_text()!r}"
    for axes in figure.axes:
        frame = axes.get_window_extent(renderer)
        for text, box in boxes:
            if text.axes is axes:
                continue
            across = min(frame.x1, box.x1) - max(frame.x0, box.x0)
            upwards = min(frame.y1, box.y1) - max(frame.y0, box.y0)
            assert across < 1 or upwards < 2, f"{name}: {text.get_text()!r} is on a panel"


def test_figures_are_named_by_their_numbers(few: Drawings, many: tuple[Tables, Drawings]) -> None:
    assert list(few) == [
        "figure_01_routing_curves",
        "figure_02_relative_accuracy",
        "figure_03_distributions_HuggingFaceTB_SmolLM2-1.7B-Instruct",
        "figure_auroc_other",
        "figure_08_routing_curves_gpt-4.1-mini",
        "figure_ranks_gpt-4.1-mini",
    ]
    numbers = {name.split("_")[1] for name in many[1]}
    assert numbers == {"01", "02", "03", "04", "05", "06", "07", "08", "09", "ranks"}


def test_all_text_of_a_small_study_can_be_read(few: Drawings) -> None:
    for name, figure in few.items():
        assert_readable(name, figure)


def test_all_text_of_a_large_study_can_be_read(many: tuple[Tables, Drawings]) -> None:
    for name, figure in many[1].items():
        assert_readable(name, figure)


def test_no_panel_is_empty(few: Drawings, many: tuple[Tables, Drawings]) -> None:
    for found in (few, many[1]):
        for name, figure in found.items():
            assert figure.axes, name
            assert all(axes.has_data() for axes in figure.axes), name


def test_a_routing_curve_is_that_of_the_table(small: Tables, few: Drawings) -> None:
    figure = few["figure_08_routing_curves_gpt-4.1-mini"]
    for axes, dataset in zip(figure.axes, ("demo_arithmetic", "demo_mmlu"), strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        of_dataset = small.curves[small.curves["dataset"] == dataset]
        assert set(lines) == {"oracle", "random", *of_dataset["method"]}
        for method, rows in of_dataset.groupby("method"):
            np.testing.assert_allclose(lines[method].get_xdata(), rows["ratio"])
            np.testing.assert_allclose(lines[method].get_ydata(), rows["accuracy"])
        usual = of_dataset[of_dataset["method"] == "perplexity"]
        np.testing.assert_allclose(lines["random"].get_ydata(), usual["random"])
        np.testing.assert_allclose(lines["oracle"].get_ydata(), usual["oracle"])


def test_figure_1_is_the_mean_over_data_sets_and_llms(many: tuple[Tables, Drawings]) -> None:
    tables, found = many
    axes = panels(found["figure_01_routing_curves"])["Qwen2.5-0.5B-Instruct"]
    rows = tables.curves[
        (tables.curves["slm"] == "Qwen__Qwen2.5-0.5B-Instruct")
        & (tables.curves["method"] == "p_true")
    ]
    by_hand = rows["accuracy"].to_numpy().reshape(15 * 2, 101).mean(axis=0)
    line = next(line for line in axes.get_lines() if line.get_label() == "p_true")
    np.testing.assert_allclose(line.get_ydata(), by_hand)


def test_relative_accuracy_is_the_ratio_of_means(small: Tables, few: Drawings) -> None:
    (axes,) = few["figure_02_relative_accuracy"].axes
    rows = small.relative_accuracy[small.relative_accuracy["method"] == "p_true"]
    slm = rows["accuracy_slm"].to_numpy().reshape(2, 20).mean(axis=0)
    llm = rows["accuracy_llm"].to_numpy().reshape(2, 20).mean(axis=0)
    line = next(line for line in axes.get_lines() if line.get_label() == "p_true")
    np.testing.assert_allclose(line.get_xdata(), np.arange(100, 0, -5))
    np.testing.assert_allclose(line.get_ydata(), slm / llm)


def test_a_distribution_has_a_line_per_data_set_and_bars_for_all(
    small: Tables, few: Drawings
) -> None:
    figure = few["figure_03_distributions_HuggingFaceTB_SmolLM2-1.7B-Instruct"]
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


def test_every_method_is_in_the_key_with_its_coverage(small: Tables, few: Drawings) -> None:
    covered = small.routing[small.routing["method"] == "verbalization_2s"]["coverage"]
    low, high = round(100 * covered.min()), round(100 * covered.max())
    for name in ("figure_01_routing_curves", "figure_02_relative_accuracy"):
        (legend,) = few[name].legends
        entries = [text.get_text() for text in legend.get_texts()]
        for method in set(small.routing["method"]):
            assert any(entry.split(" ")[0] == method for entry in entries), (name, method)
        assert f"verbalization_2s (on {low}–{high}%)" in entries


def test_lines_of_methods_differ_in_more_than_colour(few: Drawings) -> None:
    (axes,) = few["figure_01_routing_curves"].axes
    styles = {
        line.get_label(): (str(line._unscaled_dash_pattern), line.get_marker())
        for line in axes.get_lines()
    }
    assert len(set(styles.values())) == len(styles)


def test_an_undefined_cell_is_hatched_and_says_so(small: Tables) -> None:
    alignment = small.alignment.copy()
    at = alignment.index[(alignment["method"] == "p_true") & (alignment["dataset"] == "demo_mmlu")]
    alignment.loc[at, ["auroc", "auroc_low", "auroc_high"]] = np.nan
    alignment = alignment[
        ~((alignment["method"] == "perplexity") & (alignment["dataset"] == "demo_mmlu"))
    ]
    figure = drawn(replace(small, alignment=alignment))["figure_auroc_other"]
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
    assert_readable("figure_auroc_other", figure)


def test_a_heat_map_shows_auroc_coverage_and_cross_fitting(
    many: tuple[Tables, Drawings],
) -> None:
    tables, found = many
    figure = next(f for n, f in found.items() if "math" in n and "math500" in panels(f))
    axes = panels(figure)["math500"]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = sorted(set(tables.alignment["method"]))
    written = {
        (round(x - 0.5), int(y)): text.get_text()
        for text in axes.texts
        for x, y in [text.get_position()]
        if not text.get_text().endswith("%")
    }
    of_dataset = tables.alignment[tables.alignment["dataset"] == "math500"]
    assert len(written) == len(of_dataset) == len(rows) * len(columns)
    for row in of_dataset.itertuples():
        place = columns.index(row.method), rows.index(row.slm.split("__")[1])
        mark = "†" if row.method == "trained_probe" else ""
        expected = "undef." if np.isnan(row.auroc) else f"{row.auroc:.2f}{mark}"
        assert written[place] == expected
    assert any("† cross-fitted" in text.get_text() for text in figure.texts)


def test_ranks_stand_at_their_place_on_the_ruler(small: Tables, few: Drawings) -> None:
    (axes,) = few["figure_ranks_gpt-4.1-mini"].axes
    lines = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    left, right = lines["_ruler"]
    for row in small.ranks.itertuples():
        np.testing.assert_allclose(
            lines[row.method][0], left + (row.mean_rank - 1) / 5 * (right - left)
        )
        assert f"{row.method} {row.mean_rank:.2f}" in [text.get_text() for text in axes.texts]


def test_methods_that_are_not_apart_are_joined() -> None:
    # Demšar 2006, figure 1a: four classifiers, CD = 1.25.
    ranked = [Ranked("m+cf", 1.964), Ranked("cf", 2.0), Ranked("m", 2.893), Ranked("c", 3.143)]
    assert cliques(ranked, 1.25) == [(0, 3)]
    assert cliques(ranked, 1.17) == [(0, 2), (1, 3)]
    assert cliques(ranked, 0.3) == [(0, 1), (2, 3)]
    assert cliques(ranked, 0.01) == []
    assert cliques(ranked, float("nan")) == []


def test_a_setting_without_a_defined_curve_says_so(small: Tables) -> None:
    curves = small.curves.copy()
    curves.loc[curves["dataset"] == "demo_mmlu", ["accuracy", "random", "oracle"]] = np.nan
    figure = drawn(replace(small, curves=curves))["figure_08_routing_curves_gpt-4.1-mini"]
    assert "undefined" in [text.get_text() for text in figure.axes[1].texts]
    assert any(patch.get_hatch() for patch in figure.axes[1].patches)
    assert_readable("figure_08", figure)


def test_a_mean_over_fewer_settings_is_noted(make_tables: MakeTables) -> None:
    tables = make_tables(("tiny",), ("a", "b", "c"), ("p_true", "perplexity"), ("big",))
    missing = (tables.curves["dataset"] == "b") & (tables.curves["method"] == "p_true")
    figure = drawn(replace(tables, curves=tables.curves[~missing]))["figure_01_routing_curves"]
    notes = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "p_true is over fewer settings in tiny (2 of 3)." in notes


def test_figures_without_rows_are_not_made(small: Tables, tmp_path: Path) -> None:
    empty = Tables(**{name: table.iloc[:0] for name, table in vars(small).items()})
    assert draw_figures(empty, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_are_shown_and_not_obeyed(hostile: Tables) -> None:
    found = drawn(hostile)
    for name, figure in found.items():
        assert_readable(name, figure)
    (legend,) = found["figure_01_routing_curves"].legends
    entries = [text.get_text() for text in legend.get_texts()]
    for method in HOSTILE[:1] + HOSTILE[2:4]:
        assert method in entries
    assert not any(text.get_parse_math() for figure in found.values() for text in words(figure))


def test_files_are_the_same_bytes_each_time_and_settings_are_left_alone(
    small: Tables, tmp_path: Path
) -> None:
    before = dict(rcParams)
    paths = draw_figures(small, tmp_path / "first")
    assert dict(rcParams) == before
    again = draw_figures(small, tmp_path / "second")
    assert [path.name for path in paths] == [path.name for path in again]
    assert {path.suffix for path in paths} == {".png", ".svg"}
    assert len({path.stem for path in paths}) * 2 == len(paths) == len(set(paths))
    for one, other in zip(paths, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert sorted(tmp_path.glob("first/*")) == sorted(paths)


def test_files_can_be_opened_whatever_the_names(make_tables: MakeTables, tmp_path: Path) -> None:
    tables = make_tables(HOSTILE[1:2], HOSTILE[:2], HOSTILE[1:4], HOSTILE[1:2])
    for path in draw_figures(tables, tmp_path):
        assert path.parent == tmp_path
        if path.suffix == ".svg":
            root = ElementTree.fromstring(path.read_bytes())
            assert not [e for e in root.iter() if e.tag.endswith(("script", "date", "text"))]
        else:
            with Image.open(path) as image:
                image.verify()
                assert not image.info.get("Software")
