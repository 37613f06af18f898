"""Distributions of confidence: a histogram over all data sets, with a line for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from slmroute_plugin.analysis.figures.appearance import Look, look
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import Key, PanelGrid, blank, sheet
from slmroute_plugin.analysis.study.dataset_groups import in_groups
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.tables import Tables

BAR_COLOUR = "#c8c8c8"


def by_slm(tables: Tables, names: Names) -> Iterator[Pages]:
    """Plan sheets for each SLM: a panel for each method."""
    slms = names.in_order("slms", tables.histograms["slm"])
    files = file_parts(slms)
    for slm in slms:
        yield partial(
            by_method,
            f"Confidences of {names.slms[slm]}: all data sets, and each of them",
            f"distributions_{files[slm]}",
            tables.histograms[tables.histograms["slm"] == slm],
            tables.alignment[tables.alignment["slm"] == slm],
            names,
        )


def by_method(
    title: str, file: str, rows: pd.DataFrame, alignment: pd.DataFrame, names: Names
) -> Iterator[Drawn]:
    """Draw a panel for each method of an SLM.

    Args:
        title: the title of each page.
        file: name of the file, without its ending and without the number of the page.
        rows: the SLM's rows of the table `histograms`.
        alignment: the SLM's rows of the table `alignment`, for the same methods and data sets.
        names: what is shown for each name.
    """
    looks = dataset_looks(names.in_order("datasets", rows["dataset"].unique()))
    labels = caveats.labels(alignment, names.methods)
    for page in pages(names.in_order("methods", alignment["method"]), PER_PAGE):
        grid = PanelGrid.near_square(len(page.items))
        on_page = alignment[alignment["method"].isin(page.items)]
        drawn = sheet(
            title,
            grid,
            _key(looks, names),
            _notes(on_page, names),
            "confidence",
            "share of the answers (%)",
        )
        for number, (axes, method) in enumerate(zip(drawn.panels, page.items, strict=True)):
            of_method = rows[rows["method"] == method]
            draw(axes, of_method, on_page[on_page["method"] == method], looks)
            axes.tick_params("x", labelbottom=grid.is_lowest(number))
            axes.set_title(labels[method], y=1.0)
        yield Drawn(f"{file}{page.suffix}", drawn.figure)


def dataset_looks(datasets: Sequence[str]) -> dict[str, Look]:
    """Choose a line style for each data set; if there are several groups, each has a colour."""
    groups = list(in_groups(datasets).values())
    if len(groups) == 1:
        return {dataset: look(place) for place, dataset in enumerate(groups[0])}
    return {
        dataset: look(place, colour)
        for colour, members in enumerate(groups)
        for place, dataset in enumerate(members)
    }


def pooled(histograms: pd.DataFrame, alignment: pd.DataFrame) -> pd.Series:
    """Pool histograms over all data sets, each weighted by its number of confidences.

    Args:
        histograms: rows of an SLM and a method, one for each data set and bin.
        alignment: rows of the same SLM and method, for `n` and `coverage`.

    Returns:
        Shares by the lower edge of the bins; they sum to 1.
    """
    weights = (alignment["n"] * alignment["coverage"]).set_axis(alignment["dataset"].astype(str))
    known = histograms.dropna(subset="share")
    weight = known["dataset"].astype(str).map(weights)
    total = (known["share"] * weight).groupby(known["low"]).sum()
    return total / total.sum()


def draw(
    axes: Axes, histograms: pd.DataFrame, alignment: pd.DataFrame, looks: Mapping[str, Look]
) -> None:
    """Draw a panel: bars over all data sets, a line through the bins' middles for each of them.

    A data set with too few confidences is part of the bars and has no line.
    """
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    known = histograms.dropna(subset="share")
    if known.empty:
        blank(axes, "no confidences")
        return
    bars = pooled(known, alignment)
    axes.bar(
        bars.index.to_numpy(),
        bars.to_numpy(),
        width=1 / len(bars),
        align="edge",
        color=BAR_COLOUR,
        zorder=1,
    )
    covered = alignment.loc[alignment["coverage"] >= caveats.LEAST_COVERAGE, "dataset"]
    shares = (
        known[known["dataset"].isin(covered.to_list())]
        .astype({"dataset": str})
        .pivot(index="low", columns="dataset", values="share")
    )
    middles = shares.index.to_numpy() + 0.5 / len(bars)
    for dataset, line in shares.items():
        style = looks[str(dataset)]
        axes.plot(
            middles,
            line.to_numpy(),
            color=style.colour,
            linestyle=style.dashes,
            linewidth=0.9,
            marker=style.marker,
            markersize=2.5,
            markeredgewidth=0,
            markevery=(style.place % 4, 4),
            label=str(dataset),
            zorder=2,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def _notes(alignment: pd.DataFrame, names: Names) -> list[str]:
    """Say what the panels leave out, and what of the methods a reader has to know."""
    notes = caveats.notes(alignment)
    few = alignment[alignment["coverage"] < caveats.LEAST_COVERAGE]
    if few.empty:
        return notes
    missing = [
        f"{names.methods[str(method)]} ({rows['dataset'].nunique()} of "
        f"{(alignment['method'] == method).sum()}, on {caveats.coverage_range(rows['coverage'])})"
        for method, rows in few.groupby("method", observed=True)
    ]
    notes.append(
        f"Without a line: data sets with a confidence for fewer than {caveats.LEAST_COVERAGE:.0%} "
        f"of their questions, which are part of the bars: {', '.join(missing)}."
    )
    return notes


def _key(looks: Mapping[str, Look], names: Names) -> list[Key]:
    """Make entries for the bars and for each data set."""
    key = [Key(Rectangle((0, 0), 1, 1, facecolor=BAR_COLOUR), "all data sets")]
    for dataset, style in looks.items():
        handle = Line2D(
            [],
            [],
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            linewidth=0.9,
            markersize=3,
            markeredgewidth=0,
        )
        key.append(Key(handle, names.datasets[dataset]))
    return key
