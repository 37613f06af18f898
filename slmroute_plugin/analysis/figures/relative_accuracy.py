"""Relative accuracy: the SLM's share of the LLM's accuracy on what the SLM is surest of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from slmroute_plugin.analysis.figures.appearance import REFERENCE_COLOUR, Look
from slmroute_plugin.analysis.figures.coverage import TOO_FEW, left_out, left_out_notes
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import Key, PanelGrid, blank, sheet
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables

FEW = 20
"""The number of questions per setting below which a point is hollow: chance moves it much."""

_EQUAL = (0, (1, 2))
_TICKS = (100, 75, 50, 25, 5)


class Scale(NamedTuple):
    """The horizontal axis, which always runs from all questions to the most confident few.

    Attributes:
        label: its name.
        numbers: what is written at each tick, a percentage of the most confident questions.
    """

    label: str
    numbers: Mapping[int, str]


KEPT = Scale("most confident (%)", {tick: f"{tick}" for tick in _TICKS})
"""The share of the questions that are kept."""

EXCLUDED = Scale("least confident excluded (%)", {tick: f"{100 - tick}" for tick in _TICKS})
"""The share of the questions that are taken away."""


def overview(tables: Tables, names: Names, unparsed: Unparsed) -> Pages:
    """Plan pages with a panel for each SLM, over all data sets and LLMs."""
    table = tables.relative_accuracy
    llms = names.in_order("llms", table["llm"])
    datasets = table["dataset"].nunique()
    over = [f"{datasets} data sets"] * (datasets > 1) + [f"{len(llms)} LLMs"] * (len(llms) > 1)
    of = names.llms[llms[0]] if len(llms) == 1 else "the LLM"
    mean = f", means over {' and '.join(over)}" if over else ""
    title = f"Accuracy relative to {of} on the most confident questions{mean}"
    given = (title, "relative_accuracy", table, tables.routing, names, unparsed, KEPT)
    return partial(by_slm, *given)


def by_slm(
    title: str,
    file: str,
    table: pd.DataFrame,
    routing: pd.DataFrame,
    names: Names,
    unparsed: Unparsed,
    scale: Scale,
) -> Iterator[Drawn]:
    """Draw a panel for each SLM: the ratio of mean accuracies over all settings in its rows.

    Args:
        title: the title of each page.
        file: name of the file, without its ending and without the number of the page.
        table: rows of the table `relative_accuracy`.
        routing: rows of the table `routing`, of the same settings.
        names: what is shown for each name.
        unparsed: what the tables did with answers without a confidence.
        scale: the horizontal axis.
    """
    for page in pages(names.in_order("slms", table["slm"]), PER_PAGE):
        grid = PanelGrid.near_square(len(page.items))
        on_page = routing[routing["slm"].isin(page.items)]
        methods = set(on_page["method"])
        absent = [left_out(on_page[on_page["slm"] == slm], methods, unparsed) for slm in page.items]
        ratios = [
            relative(table[(table["slm"] == slm) & ~table["method"].isin(list(missing))])
            for slm, missing in zip(page.items, absent, strict=True)
        ]
        with_line = {str(method) for ratio in ratios for method in ratio.index.unique("method")}
        titles = [names.slms[slm] for slm in page.items]
        drawn = sheet(
            title,
            grid,
            _key(on_page, names, {method for each in absent for method in each} - with_line),
            [
                *_notes(table, ratios),
                *caveats.notes(on_page, unparsed),
                *left_out_notes(titles, absent, with_line, names.methods),
            ],
            scale.label,
            "SLM / LLM accuracy",
        )
        for number, (axes, name) in enumerate(zip(drawn.panels, titles, strict=True)):
            draw(axes, ratios[number], names.looks, scale)
            axes.tick_params("x", labelbottom=grid.is_lowest(number))
            axes.set_title(name, y=1.0)
        yield Drawn(f"{file}{page.suffix}", drawn.figure)


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Divide mean accuracies over the settings in the rows.

    It is a ratio of means, not a mean of ratios, in which a single LLM that is wrong on most of a
    few questions would outweigh all others.

    Returns:
        Rows by (`method`, `top_percent`) with `ratio`, NaN where the LLM is never right, and `n`,
        the least number of questions in any of the settings.
    """
    known = rows.dropna(subset=["accuracy_slm", "accuracy_llm"])
    grouped = known.groupby(["method", "top_percent"], observed=True)
    means = grouped[["accuracy_slm", "accuracy_llm"]].mean()
    llm = means["accuracy_llm"].where(means["accuracy_llm"] > 0)
    return pd.DataFrame({"ratio": means["accuracy_slm"] / llm, "n": grouped["n"].min()})


def draw(axes: Axes, ratios: pd.DataFrame, looks: Mapping[str, Look], scale: Scale) -> None:
    """Draw a panel: a line for each method, from all questions to the most confident few.

    Args:
        axes: where to draw.
        ratios: as `relative` returns them.
        looks: line style of each method.
        scale: the horizontal axis.
    """
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlim(102, 0)
    axes.set_xticks(list(scale.numbers), list(scale.numbers.values()))
    if ratios["ratio"].notna().sum() == 0:
        blank(axes, TOO_FEW if ratios.empty else "undefined")
        return
    axes.axhline(1, color=REFERENCE_COLOUR, linestyle=_EQUAL, linewidth=1, label="equal")
    for method, rows in ratios.groupby("method", observed=True):
        line = rows.droplevel("method").sort_index(ascending=False)
        look = looks[str(method)]
        style: dict[str, Any] = {"color": look.colour, "linestyle": look.dashes}
        axes.plot(line.index, line["ratio"], **style, label=str(method))
        # Every second point, so that markers of neighbouring lines stand beside each other.
        marked = line.iloc[look.place % 2 :: 2]
        for rows_of, face in (
            (marked[marked["n"] >= FEW], look.colour),
            (marked[marked["n"] < FEW], "white"),
        ):
            axes.plot(
                rows_of.index,
                rows_of["ratio"],
                linestyle="none",
                marker=look.marker,
                color=look.colour,
                markerfacecolor=face,
                markeredgewidth=0.6,
                markersize=3,
                label="_markers",
            )
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


def _notes(table: pd.DataFrame, ratios: Sequence[pd.DataFrame]) -> list[str]:
    """Say what the points are, and which of them are over few questions."""
    several = len(table[["llm", "dataset"]].drop_duplicates()) > 1
    notes = [
        f"Each point is the ratio of two{' mean' if several else ''} accuracies on the same "
        "questions. Above the dotted line the SLM is the better model."
    ]
    if any((ratio["n"] < FEW).any() for ratio in ratios):
        of = " (of the data set with fewest)" if several else ""
        notes.append(f"Hollow: fewer than {FEW} questions{of}.")
    return notes


def _key(routing: pd.DataFrame, names: Names, without_line: Collection[str]) -> list[Key]:
    """Make entries for all methods, and for the line where both models are as good."""
    key = []
    for method, label in caveats.labels(routing, names.methods).items():
        if method in without_line:
            key.append(Key(Line2D([], [], linestyle="none"), f"{label}: not drawn"))
            continue
        look = names.looks[method]
        handle = Line2D(
            [], [], color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=3
        )
        key.append(Key(handle, label))
    equal = Line2D([], [], color=REFERENCE_COLOUR, linestyle=_EQUAL)
    return [*key, Key(equal, "as good as the LLM")]
