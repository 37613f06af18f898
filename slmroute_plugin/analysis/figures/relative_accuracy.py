"""Relative accuracy: the SLM's share of the LLM's accuracy on what the SLM is surest of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from slmroute_plugin.analysis.figures.appearance import REFERENCE_COLOUR, Look
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn
from slmroute_plugin.analysis.figures.sheet import Grid, Key, blank, near_square, sheet
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.tables import Tables

FEW = 20
"""Below as many questions per setting a point is drawn hollow: chance alone moves it much."""

_EQUAL = (0, (1, 2))


def overview(tables: Tables, names: Names) -> Iterator[Drawn]:
    """Figure 2: for each SLM, over all data sets and LLMs."""
    table = tables.relative_accuracy
    llms = names.in_order("llms", table["llm"])
    datasets = table["dataset"].nunique()
    over = [f"{datasets} data sets"] * (datasets > 1) + [f"{len(llms)} LLMs"] * (len(llms) > 1)
    of = names.llms[llms[0]] if len(llms) == 1 else "the LLM"
    mean = f", means over {' and '.join(over)}" if over else ""
    for page in pages(names.in_order("slms", table["slm"]), PER_PAGE):
        columns, width, height = near_square(len(page.items))
        routing = tables.routing[tables.routing["slm"].isin(page.items)]
        ratios = [relative(table[table["slm"] == slm]) for slm in page.items]
        notes = [
            f"Each point is the ratio of two{' mean' if over else ''} accuracies on the same "
            "questions. Above the dotted line the SLM is the better one.",
            *caveats.notes(routing),
        ]
        if any((ratio["n"] < FEW).any() for ratio in ratios):
            notes.append(f"Hollow: fewer than {FEW} questions (of the data set with fewest).")
        drawn = sheet(
            f"Figure 2. Accuracy relative to {of} on the most confident questions{mean}",
            Grid(len(ratios), columns, width, height, below=0.08, tail=0.3),
            _key(routing, names),
            notes,
            "most confident (%)",
            "SLM / LLM accuracy",
        )
        for number, (axes, slm) in enumerate(zip(drawn.panels, page.items, strict=True)):
            draw(axes, ratios[number], names.looks)
            axes.tick_params("x", labelbottom=number + columns >= len(ratios))
            axes.set_title(names.slms[slm], y=1.0)
        yield Drawn(f"figure_02_relative_accuracy{page.suffix}", drawn.figure)


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """The ratio of mean accuracies over the settings in the rows.

    A ratio of means, and no mean of ratios: a single LLM that is wrong on most of a few questions
    would outweigh all others.

    Returns:
        Rows by (`method`, `top_percent`) with `ratio`, NaN where the LLM is never right, and `n`,
        the least number of questions in any of the settings.
    """
    known = rows.dropna(subset=["accuracy_slm", "accuracy_llm"])
    grouped = known.groupby(["method", "top_percent"], observed=True)
    means = grouped[["accuracy_slm", "accuracy_llm"]].mean()
    llm = means["accuracy_llm"].where(means["accuracy_llm"] > 0)
    return pd.DataFrame({"ratio": means["accuracy_slm"] / llm, "n": grouped["n"].min()})


def draw(axes: Axes, ratios: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """One panel: a line for each method, from all questions to the most confident few."""
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlim(102, 0)
    axes.set_xticks([100, 75, 50, 25, 5])
    if ratios["ratio"].notna().sum() == 0:
        blank(axes, "undefined")
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


def _key(routing: pd.DataFrame, names: Names) -> list[Key]:
    """Entries for all methods, and for the line where both models are as good."""
    key = []
    for method, label in caveats.labels(routing, names.methods).items():
        look = names.looks[method]
        handle = Line2D(
            [], [], color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=3
        )
        key.append(Key(handle, label))
    equal = Line2D([], [], color=REFERENCE_COLOUR, linestyle=_EQUAL)
    return [*key, Key(equal, "as good as the LLM")]
