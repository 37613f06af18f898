"""Sheets of accuracy over total cost: a panel for each SLM, the mean over its data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from slmroute_plugin.analysis.figures.appearance import REFERENCE_COLOUR, Look
from slmroute_plugin.analysis.figures.coverage import left_out, left_out_notes
from slmroute_plugin.analysis.figures.curves import line_style, method_keys
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import Key, PanelGrid, sheet
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables

_MIXED = (0, (1, 2))


def by_llm(tables: Tables, names: Names, unparsed: Unparsed) -> Iterator[Pages]:
    """Plan sheets for each LLM: a panel for each SLM, the mean over its data sets.

    The costs of a data set are those of the mean question, as shares of the LLM's, so that data
    sets can be averaged. Only data sets on which all costs are known are drawn.
    """
    routing = tables.routing.dropna(subset=["break_even"])
    routing = routing[routing["cost_llm_usd"] > 0]
    files = file_parts(tables.curves["llm"].unique())
    for llm in names.in_order("llms", tables.curves["llm"]):
        of_llm = routing[routing["llm"] == llm]
        if of_llm.empty:
            continue
        curves = tables.curves[tables.curves["llm"] == llm]
        file = f"cost_curves_{files[llm]}"
        yield partial(_pages, names.llms[llm], file, of_llm, curves, names, unparsed)


def _pages(
    llm: str,
    file: str,
    routing: pd.DataFrame,
    curves: pd.DataFrame,
    names: Names,
    unparsed: Unparsed,
) -> Iterator[Drawn]:
    """Draw the pages of an LLM."""
    for page in pages(names.in_order("slms", routing["slm"]), PER_PAGE):
        figure = _page(llm, page.items, routing, curves, names, unparsed)
        yield Drawn(f"{file}{page.suffix}", figure)


def _page(
    llm: str,
    slms: Sequence[str],
    routing: pd.DataFrame,
    curves: pd.DataFrame,
    names: Names,
    unparsed: Unparsed,
) -> Figure:
    """Draw a page of panels."""
    grid = PanelGrid.near_square(len(slms))
    on_page = routing[routing["slm"].isin(slms)]
    methods = set(on_page["method"])
    by_slm = [on_page[on_page["slm"] == slm] for slm in slms]
    absent = [left_out(own, methods, unparsed) for own in by_slm]
    with_line = {
        str(method)
        for own, without in zip(by_slm, absent, strict=True)
        for method in set(own["method"]) - set(without)
    }
    labels = caveats.labels(on_page, names.methods)
    entries = method_keys(labels, names.looks, methods - with_line)
    titles = [names.slms[slm] for slm in slms]
    mixed = Line2D([], [], color=REFERENCE_COLOUR, linestyle=_MIXED, marker="o", markersize=3)
    entries.append(Key(mixed, "the SLM alone, the LLM alone, and random mixtures"))
    drawn = sheet(
        f"All costs of routing to {llm}, mean over data sets",
        grid,
        entries,
        [
            *caveats.notes(on_page, unparsed),
            *left_out_notes(titles, absent, with_line, names.methods),
        ],
        "cost of SLM, method and LLM (% of the LLM alone)",
        "overall accuracy (%)",
    )
    for number, (axes, slm) in enumerate(zip(drawn.panels, slms, strict=True)):
        own = by_slm[number]
        own = own[~own["method"].isin(list(absent[number]))]
        _draw(axes, own, curves[curves["slm"] == slm], names.looks)
        axes.set_title(titles[number], y=1.0)
        axes.tick_params("x", labelbottom=grid.is_lowest(number))
    return drawn.figure


def _draw(
    axes: Axes, routing: pd.DataFrame, curves: pd.DataFrame, looks: Mapping[str, Look]
) -> None:
    """Draw a panel: a line for each method, and both models alone."""
    axes.grid(True)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    shares = routing.assign(slm_share=routing["cost_slm_usd"] / routing["cost_llm_usd"])
    # Each data set counts once, by a method that gives all or most of its answers a confidence.
    shares = shares.sort_values("coverage", ascending=False, kind="stable")
    alone = shares.drop_duplicates("dataset")[["slm_share", "accuracy_slm", "accuracy_llm"]].mean()
    axes.plot(
        [alone["slm_share"], 1.0],
        [alone["accuracy_slm"], alone["accuracy_llm"]],
        color=REFERENCE_COLOUR,
        linestyle=_MIXED,
        marker="o",
        markersize=3,
        linewidth=1,
        label="mixtures",
    )
    named = ["dataset", "method"]
    plain = curves.astype(dict.fromkeys(named, str))
    joined = plain.merge(routing[[*named, "cost_llm_usd"]].astype(dict.fromkeys(named, str)))
    joined = joined.assign(share=joined["total_cost_usd"] / joined["cost_llm_usd"])
    for method, rows in joined.groupby("method"):
        line = rows.groupby("ratio")[["share", "accuracy"]].mean()
        axes.plot(
            line["share"].to_numpy(),
            line["accuracy"].to_numpy(),
            **line_style(looks[str(method)], len(line)),
            label=str(method),
        )
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
