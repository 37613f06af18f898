"""Routing curves: overall accuracy against the share of questions that the LLM answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from slmroute_plugin.analysis.figures.appearance import (
    REFERENCE_COLOUR,
    SMALL_SIZE,
    TEXT_SIZE,
    Look,
)
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, ROWS_PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn
from slmroute_plugin.analysis.figures.sheet import (
    PAGE_WIDTH,
    Grid,
    Key,
    Sheet,
    blank,
    line_height,
    near_square,
    sheet,
    wrapped,
)
from slmroute_plugin.analysis.study.dataset_groups import in_groups
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.tables import Tables

MARKS = 5
"""Markers on each line."""

SEPARATE_DATASETS = 4
"""As many data sets at most have a panel each; of more, a panel shows a group's mean."""

FIRST_BY_LLM = 8
"""Number of the first LLM's figure. The paper has four, 8 to 11; further LLMs number on."""

_RANDOM = (0, (1, 2))
_ORACLE = (0, (8, 2, 2, 2))


class Column(NamedTuple):
    """Panels below one another: what they are called and which data sets they average."""

    name: str
    datasets: tuple[str, ...]


class Panel(NamedTuple):
    """One panel's curves.

    Attributes:
        methods: accuracy, [ratio × method].
        random: accuracy of routing at random, by ratio.
        oracle: accuracy of the best possible order, by ratio.
        settings: number of settings (SLM, LLM, data set) that each method's mean is over.
    """

    methods: pd.DataFrame
    random: pd.Series
    oracle: pd.Series
    settings: pd.Series


def overview(tables: Tables, names: Names) -> Iterator[Drawn]:
    """Figure 1: for each SLM, the mean over all data sets and LLMs."""
    curves = tables.curves
    slms = names.in_order("slms", curves["slm"])
    llms = names.in_order("llms", curves["llm"])
    to = names.llms[llms[0]] if len(llms) == 1 else f"{len(llms)} LLMs"
    for page in pages(slms, PER_PAGE):
        columns, width, height = near_square(len(page.items))
        panels = [averaged(curves[curves["slm"] == slm]) for slm in page.items]
        titles = [names.slms[slm] for slm in page.items]
        grid = Grid(len(panels), columns, width, height, below=0.08, tail=0.3)
        drawn = _sheet(
            f"Figure 1. Routing to {to}, {_over(curves)}",
            grid,
            tables.routing[tables.routing["slm"].isin(page.items)],
            names,
            _uneven(panels, titles, names),
        )
        for number, (axes, title, panel) in enumerate(
            zip(drawn.panels, titles, panels, strict=True)
        ):
            draw(axes, panel, names.looks, grid.is_lowest(number))
            axes.set_title(title, y=1.0)
        yield Drawn(f"figure_01_routing_curves{page.suffix}", drawn.figure)


def by_llm(tables: Tables, names: Names) -> Iterator[Drawn]:
    """Figures 8 and on, one per LLM: for each SLM, each group of data sets or each data set."""
    files = file_parts(tables.curves["llm"].unique())
    llms = names.in_order("llms", tables.curves["llm"])
    for number, llm in enumerate(llms, start=FIRST_BY_LLM):
        curves = tables.curves[tables.curves["llm"] == llm]
        columns = _columns(curves["dataset"].unique(), names)
        routing = tables.routing[tables.routing["llm"] == llm]
        for page in pages(names.in_order("slms", curves["slm"]), ROWS_PER_PAGE):
            figure = _llm_page(
                f"Figure {number}. Routing to {names.llms[llm]}",
                curves,
                routing,
                page.items,
                columns,
                names,
            ).figure
            name = f"figure_{number:02}_routing_curves_{files[llm]}{page.suffix}"
            yield Drawn(name, figure)


def averaged(curves: pd.DataFrame) -> Panel:
    """The mean curve of each method over the settings in the rows.

    Where methods have unlike coverage, random routing and the oracle differ between them, since
    each counts its own rows: shown are those that most methods share, of the least a method whose
    accuracy before routing is in the middle.
    """
    means = curves.groupby(["method", "ratio"], observed=True)[
        ["accuracy", "random", "oracle"]
    ].mean()
    defined = curves.dropna(subset="accuracy")
    settings = (
        defined[["slm", "llm", "dataset", "method"]].drop_duplicates().groupby("method").size()
    )
    start = means["random"].groupby("method").first().dropna().sort_values(kind="stable")
    if start.empty:
        nothing = pd.Series(dtype=float)
        return Panel(pd.DataFrame(), nothing, nothing, settings)
    shared = start.round(9).value_counts(sort=False)
    usual = shared.index[shared == shared.max()]
    alike = start[start.round(9) == usual[(len(usual) - 1) // 2]]
    reference = means.loc[alike.index[0]]
    methods = means["accuracy"].unstack("method").dropna(axis="columns", how="all")
    return Panel(methods, reference["random"], reference["oracle"], settings)


def draw(axes: Axes, panel: Panel, looks: Mapping[str, Look], numbered: bool = True) -> None:
    """One panel: oracle, random routing, and a line for each method; labels in percent.

    `numbered` says whether the ratios are written below.
    """
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.tick_params("x", labelbottom=numbered)
    if panel.methods.empty:
        blank(axes, "undefined")
        return
    references = ((panel.oracle, _ORACLE, "oracle"), (panel.random, _RANDOM, "random"))
    for line, dashes, label in references:
        axes.plot(
            line.index, line, color=REFERENCE_COLOUR, linestyle=dashes, label=label, linewidth=1
        )
    for method, curve in panel.methods.items():
        axes.plot(
            curve.index.to_numpy(),
            curve.to_numpy(),
            **_style(looks[str(method)], len(curve)),
            label=str(method),
        )
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


def _style(look: Look, points: int) -> dict[str, Any]:
    """Arguments of a method's line; markers of different lines stand at different ratios."""
    step = max(1, points // MARKS)
    return {
        "color": look.colour,
        "linestyle": look.dashes,
        "marker": look.marker,
        "markevery": ((look.place * 3 + 2) % step, step),
        "markeredgewidth": 0,
    }


def _sheet(
    title: str, grid: Grid, routing: pd.DataFrame, names: Names, more: Sequence[str]
) -> Sheet:
    """An empty sheet with the key of the methods that the rows of `routing` have."""
    key = [
        Key(Line2D([], [], **_style(names.looks[method], 1)), label)
        for method, label in caveats.labels(routing, names.methods).items()
    ]
    for label, dashes in (("random routing", _RANDOM), ("oracle", _ORACLE)):
        key.append(Key(Line2D([], [], color=REFERENCE_COLOUR, linestyle=dashes), label))
    notes = caveats.notes(routing)
    starts = routing.groupby(["slm", "dataset"], observed=True)["accuracy_slm"]
    if (starts.max() - starts.min() > 1e-9).any():
        notes.append(
            "A line that starts elsewhere than random routing is over other questions, or about "
            "answers of its own. Random routing and the oracle are those of the other methods."
        )
    return sheet(title, grid, key, [*notes, *more], "routed to the LLM (%)", "overall accuracy (%)")


def _llm_page(
    title: str,
    curves: pd.DataFrame,
    routing: pd.DataFrame,
    slms: Sequence[str],
    columns: Sequence[Column],
    names: Names,
) -> Sheet:
    """SLMs in rows, groups of data sets or data sets in columns."""
    places = [(slm, column) for slm in slms for column in columns]
    panels = [
        averaged(curves[(curves["slm"] == slm) & curves["dataset"].isin(column.datasets)])
        for slm, column in places
    ]
    several = any(len(column.datasets) > 1 for column in columns)
    width = min(max(PAGE_WIDTH / len(columns) - 0.4, 1.2), 4.2)
    titles = [wrapped(column.name, width, TEXT_SIZE) for column in columns]
    lines = max(map(len, titles))
    grid = Grid(
        len(places),
        len(columns),
        width,
        {1: 2.4, 2: 1.6}.get(len(columns), 1.0),
        head=lines * line_height(TEXT_SIZE),
        below=0.06,
        tail=0.3,
    )
    drawn = _sheet(
        f"{title}, mean over the data sets of each group" if several else title,
        grid,
        routing[routing["slm"].isin(slms)],
        names,
        _uneven(panels, [f"{names.slms[slm]}, {column.name}" for slm, column in places], names),
    )
    for number, (axes, panel) in enumerate(zip(drawn.panels, panels, strict=True)):
        draw(axes, panel, names.looks, grid.is_lowest(number))
        slm = places[number][0]
        if grid.is_leftmost(number):
            axes.set_title(names.slms[slm], y=1.0, loc="left", weight="bold", size=SMALL_SIZE)
        if number < len(columns):
            axes.annotate(
                "\n".join(titles[number]),
                (0.5, 1.0),
                xycoords="axes fraction",
                xytext=(0, 72 * grid.above),
                textcoords="offset points",
                ha="center",
                va="bottom",
                size=TEXT_SIZE,
            )
    return drawn


def _columns(datasets: Sequence[str], names: Names) -> list[Column]:
    """A column per data set if there are few, else one per group."""
    if len(datasets) <= SEPARATE_DATASETS:
        return [Column(names.datasets[dataset], (dataset,)) for dataset in sorted(datasets)]
    return [
        Column(f"{group} ({len(members)})", members)
        for group, members in in_groups(datasets).items()
    ]


def _uneven(panels: Sequence[Panel], titles: Sequence[str], names: Names) -> list[str]:
    """Notes on methods whose mean in a panel is over fewer settings than others'."""
    found: dict[str, list[str]] = {}
    for panel, title in zip(panels, titles, strict=True):
        most = panel.settings.max() if len(panel.settings) else 0
        for method, settings in panel.settings.items():
            if settings < most:
                found.setdefault(str(method), []).append(f"{title} ({settings} of {most})")
    return [
        f"{names.methods[method]} is over fewer settings in "
        + (", ".join(where) if len(where) <= 3 else f"{len(where)} panels")
        + "."
        for method, where in found.items()
    ]


def _over(curves: pd.DataFrame) -> str:
    """What a mean over all of an SLM's rows is over."""
    counts = ((curves["dataset"].nunique(), "data sets"), (curves["llm"].nunique(), "LLMs"))
    parts = [f"{count} {what}" for count, what in counts if count > 1]
    return "mean over " + " and ".join(parts) if parts else "one data set"
