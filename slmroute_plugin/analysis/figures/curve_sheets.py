"""Sheets of routing curves: a panel for each SLM, or one for each SLM and group of data sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd

from slmroute_plugin.analysis.figures.appearance import SMALL_SIZE, TEXT_SIZE
from slmroute_plugin.analysis.figures.coverage import left_out, left_out_notes
from slmroute_plugin.analysis.figures.curves import Panel, averaged, draw, key
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, ROWS_PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import PAGE_WIDTH, PanelGrid, Sheet, sheet
from slmroute_plugin.analysis.figures.text_size import line_height, wrapped
from slmroute_plugin.analysis.study.dataset_groups import in_groups
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables

SEPARATE_DATASETS = 4
"""The number of data sets up to which each has panels of its own; of more, groups are averaged."""


class Column(NamedTuple):
    """A column of panels.

    Attributes:
        name: what stands above it.
        datasets: the data sets that its panels average over.
    """

    name: str
    datasets: tuple[str, ...]


class SheetRows(NamedTuple):
    """The rows that a sheet shows, of two tables.

    Attributes:
        curves: rows of the table `curves`.
        routing: rows of the table `routing`, of the same settings.
    """

    curves: pd.DataFrame
    routing: pd.DataFrame

    def where(self, column: str, values: Sequence[str]) -> SheetRows:
        """Return the rows of both tables that have one of the values in a column."""
        return SheetRows(*(table[table[column].isin(values)] for table in self))


class Titled(NamedTuple):
    """A panel, and its title or what stands for it in a note."""

    title: str
    panel: Panel


def overview(tables: Tables, names: Names, unparsed: Unparsed) -> Pages:
    """Plan pages with a panel for each SLM: the mean over all data sets and LLMs."""
    llms = names.in_order("llms", tables.curves["llm"])
    to = names.llms[llms[0]] if len(llms) == 1 else f"{len(llms)} LLMs"
    title = f"Routing to {to}, {_over(tables.curves)}"
    rows = SheetRows(tables.curves, tables.routing)
    return partial(by_slm, title, "routing_curves", rows, names, unparsed)


def by_slm(
    title: str, file: str, rows: SheetRows, names: Names, unparsed: Unparsed
) -> Iterator[Drawn]:
    """Draw a panel for each SLM: the mean over all settings in its rows.

    Args:
        title: the title of each page.
        file: name of the file, without its ending and without the number of the page.
        rows: what is drawn.
        names: what is shown for each name.
        unparsed: what the tables did with answers without a confidence.
    """
    for page in pages(names.in_order("slms", rows.curves["slm"]), PER_PAGE):
        methods = set(rows.where("slm", page.items).routing["method"])
        panels = [
            Titled(names.slms[slm], _panel(rows.where("slm", [slm]), methods, unparsed))
            for slm in page.items
        ]
        grid = PanelGrid.near_square(len(panels))
        on_page = rows.where("slm", page.items).routing
        drawn = _sheet(title, grid, on_page, names, panels, unparsed)
        for number, (axes, (name, panel)) in enumerate(zip(drawn.panels, panels, strict=True)):
            draw(axes, panel, names.looks, grid.is_lowest(number))
            axes.set_title(name, y=1.0)
        yield Drawn(f"{file}{page.suffix}", drawn.figure)


def by_llm(tables: Tables, names: Names, unparsed: Unparsed) -> Iterator[Pages]:
    """Plan sheets for each LLM: an SLM in each row, a group of data sets in each column.

    Few data sets have a column each.
    """
    files = file_parts(tables.curves["llm"].unique())
    for llm in names.in_order("llms", tables.curves["llm"]):
        of_llm = SheetRows(tables.curves, tables.routing).where("llm", [llm])
        title = f"Routing to {names.llms[llm]}"
        yield partial(_by_column, title, f"routing_curves_{files[llm]}", of_llm, names, unparsed)


def _by_column(
    title: str, file: str, rows: SheetRows, names: Names, unparsed: Unparsed
) -> Iterator[Drawn]:
    """Draw the sheets of an LLM; the arguments are those of `by_slm`."""
    columns = _columns(rows.curves["dataset"].unique(), names)
    for page in pages(names.in_order("slms", rows.curves["slm"]), ROWS_PER_PAGE):
        on_page = rows.where("slm", page.items)
        drawn = _llm_page(title, on_page, page.items, columns, names, unparsed)
        yield Drawn(f"{file}{page.suffix}", drawn.figure)


def _panel(rows: SheetRows, methods: Collection[str], unparsed: Unparsed) -> Panel:
    """Average the rows of a panel, without the methods that cover too few of its questions."""
    return averaged(rows.curves, left_out(rows.routing, methods, unparsed))


def _sheet(
    title: str,
    grid: PanelGrid,
    routing: pd.DataFrame,
    names: Names,
    panels: Sequence[Titled],
    unparsed: Unparsed,
) -> Sheet:
    """Make a sheet for the panels, with its key and notes, and nothing in the panels yet.

    Args:
        title: of the sheet.
        grid: of the panels.
        routing: the sheet's rows of the table `routing`.
        names: what is shown for each name.
        panels: the panels in their order.
        unparsed: what the tables did with answers without a confidence.
    """
    drawn = {str(method) for _, panel in panels for method in panel.methods}
    absent = {method for _, panel in panels for method in panel.left_out} - drawn
    entries = key(caveats.labels(routing, names.methods), names.looks, absent)
    notes = caveats.notes(routing, unparsed)
    shown = routing[routing["method"].isin(drawn)]
    starts = shown.groupby(["slm", "dataset"], observed=True)["accuracy_slm"]
    if (starts.max() - starts.min() > 1e-9).any():
        notes.append(
            "A line that starts elsewhere than random routing is over other questions, or about "
            "answers of its own. Random routing and the oracle are those of the other methods."
        )
    titles, shares = [title for title, _ in panels], [panel.left_out for _, panel in panels]
    notes += left_out_notes(titles, shares, drawn, names.methods)
    notes += _uneven(panels, names)
    return sheet(title, grid, entries, notes, "routed to the LLM (%)", "overall accuracy (%)")


def _llm_page(
    title: str,
    rows: SheetRows,
    slms: Sequence[str],
    columns: Sequence[Column],
    names: Names,
    unparsed: Unparsed,
) -> Sheet:
    """Draw a page of panels: SLMs in rows, groups of data sets or data sets in columns."""
    methods = set(rows.routing["method"])
    panels = [
        Titled(
            f"{names.slms[slm]}, {column.name}",
            _panel(rows.where("slm", [slm]).where("dataset", column.datasets), methods, unparsed),
        )
        for slm in slms
        for column in columns
    ]
    several = any(len(column.datasets) > 1 for column in columns)
    width = min(max(PAGE_WIDTH / len(columns) - 0.4, 1.2), 4.2)
    titles = [wrapped(column.name, width, TEXT_SIZE) for column in columns]
    lines = max(map(len, titles))
    grid = PanelGrid(
        len(panels),
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
        rows.routing,
        names,
        panels,
        unparsed,
    )
    for number, (axes, (_, panel)) in enumerate(zip(drawn.panels, panels, strict=True)):
        draw(axes, panel, names.looks, grid.is_lowest(number))
        if grid.is_leftmost(number):
            name = names.slms[slms[number // len(columns)]]
            axes.set_title(name, loc="left", y=1.0, weight="bold", size=SMALL_SIZE)
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
    """Return a column for each data set if there are few, else for each group of them."""
    if len(datasets) <= SEPARATE_DATASETS:
        return [
            Column(names.datasets[dataset], (dataset,))
            for dataset in names.in_order("datasets", datasets)
        ]
    return [
        Column(f"{group} ({len(members)})", members)
        for group, members in in_groups(datasets).items()
    ]


def _uneven(panels: Sequence[Titled], names: Names) -> list[str]:
    """Say of which methods the mean in a panel is over fewer settings than that of others."""
    fewer: dict[str, list[str]] = {}
    for title, panel in panels:
        most = panel.settings.max() if len(panel.settings) else 0
        for method, settings in panel.settings.items():
            if settings < most:
                fewer.setdefault(str(method), []).append(f"{title} ({settings} of {most})")
    return [
        f"{names.methods[method]} is over fewer settings in "
        + (", ".join(where) if len(where) <= 3 else f"{len(where)} panels")
        + "."
        for method, where in fewer.items()
    ]


def _over(curves: pd.DataFrame) -> str:
    """Say what a mean over all of an SLM's rows is over."""
    counts = ((curves["dataset"].nunique(), "data sets"), (curves["llm"].nunique(), "LLMs"))
    parts = [f"{count} {what}" for count, what in counts if count > 1]
    return "mean over " + " and ".join(parts) if parts else "one data set"
