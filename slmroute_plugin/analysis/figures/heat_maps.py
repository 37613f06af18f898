"""AUROC of every SLM and method, in a heat map for each data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from slmroute_plugin.analysis.figures.appearance import (
    SMALL_SIZE,
    UNDEFINED_COLOUR,
)
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import (
    PAGE_HEIGHT,
    PAGE_WIDTH,
    Key,
    PanelGrid,
    sheet,
    undefined_patch,
)
from slmroute_plugin.analysis.figures.text_size import text_width
from slmroute_plugin.analysis.study.dataset_groups import GROUPS, in_groups
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.tables import Tables

COLOURS = "RdBu"
"""A scale that the colour-blind can read: red below chance, white at it, blue above."""

UNCOLOURED = "#c6c6c6"
"""The ground of a cell whose method has too few confidences to be compared with the others."""

_CELL_WIDTH = 0.32
_CELL_HEIGHT = 0.2
_CELL_HEIGHT_WITH_COVERAGE = 0.29
_VALUE_SIZE = 6.5
_COVERAGE_SIZE = 5.5
_SHADES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Axis(NamedTuple):
    """The rows or columns of a heat map: names in the table, and as shown."""

    names: Sequence[str]
    shown: Sequence[str]


def by_group(tables: Tables, names: Names) -> Iterator[Pages]:
    """Plan sheets for each group of data sets: a heat map for each of its data sets."""
    table = tables.alignment
    tags = {group.name: group.tag for group in GROUPS}
    for group, members in in_groups(table["dataset"].unique()).items():
        file = f"auroc_{tags.get(group, 'other')}"
        yield partial(by_dataset, f"{group}: AUROC", file, table, members, names)


def by_dataset(
    title: str, file: str, table: pd.DataFrame, datasets: Sequence[str], names: Names
) -> Iterator[Drawn]:
    """Draw a heat map for each data set, with a row for every SLM and a column for every method.

    Args:
        title: the title of each page.
        file: name of the file, without its ending and without the number of the page.
        table: rows of the table `alignment`; its SLMs and methods are rows and columns of every
            heat map.
        datasets: the data sets in their order.
        names: what is shown for each name.
    """
    slms = names.in_order("slms", table["slm"])
    methods = names.in_order("methods", table["method"])
    rows = Axis(slms, [names.slms[slm] for slm in slms])
    columns = Axis(methods, [names.methods[method] for method in methods])
    shown = table[table["dataset"].isin(datasets)]
    grid = _grid(rows, columns, len(datasets), bool((shown["coverage"] < 1).any()))
    per_page = grid.columns * max(1, int(PAGE_HEIGHT / (grid.height + grid.above)))
    for page in pages(datasets, per_page, grid.columns):
        on_page = shown[shown["dataset"].isin(page.items)]
        drawn = _page(title, on_page, page.items, rows, columns, names)
        yield Drawn(f"{file}{page.suffix}", drawn)


def draw(axes: Axes, table: pd.DataFrame, rows: Axis, columns: Axis) -> None:
    """Draw a data set's heat map: AUROC in each cell, hatched grey where there is none."""
    cells = {(str(row.slm), str(row.method)): row for row in table.itertuples()}
    values = np.full((len(rows.names), len(columns.names)), np.nan)
    for i, slm in enumerate(rows.names):
        for j, method in enumerate(columns.names):
            cell = cells.get((slm, method))
            if cell is not None and cell.coverage >= caveats.LEAST_COVERAGE:
                values[i, j] = cell.auroc
            _write(axes, i, j, cell)
    axes.pcolormesh(
        np.ma.masked_invalid(values), cmap=COLOURS, vmin=0, vmax=1, edgecolor="white", linewidth=0.6
    )
    axes.set(xlim=(0, len(columns.names)), ylim=(len(rows.names), 0))
    axes.set_xticks(np.arange(len(columns.names)) + 0.5, columns.shown)
    axes.set_yticks(np.arange(len(rows.names)) + 0.5, rows.shown)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)


def _page(
    title: str,
    table: pd.DataFrame,
    datasets: Sequence[str],
    rows: Axis,
    columns: Axis,
    names: Names,
) -> Any:
    """Draw the heat maps of a page."""
    partly = bool((table["coverage"] < 1).any())
    grid = _grid(rows, columns, len(datasets), partly)
    notes = ["0.5 is chance. Hatched: undefined (all answers right, all wrong, or no confidence)."]
    asked = len(datasets) * len(rows.names) * len(columns.names)
    if len(table) < asked:
        notes[0] = notes[0][:-1] + ', or "none": no such run.'
    if partly:
        notes.append("Small: share of the questions with a confidence; only these count.")
    few = bool((table.dropna(subset="auroc")["coverage"] < caveats.LEAST_COVERAGE).any())
    if few:
        notes.append(
            "Without a colour: a confidence for fewer than "
            f"{caveats.LEAST_COVERAGE:.0%} of the questions, not to be compared with the others."
        )
    if table["fitted_on"].map(caveats.is_cross_fitted).any():
        notes.append(caveats.DAGGER_NOTE)
    drawn = sheet(title, grid, _key(few), notes)
    for number, (axes, dataset) in enumerate(zip(drawn.panels, datasets, strict=True)):
        draw(axes, table[table["dataset"] == dataset], rows, columns)
        axes.set_title(names.datasets[dataset], y=1.0)
        axes.tick_params("x", labelbottom=grid.is_lowest(number), rotation=90)
        axes.tick_params("y", labelleft=grid.is_leftmost(number))
    return drawn.figure


def _grid(rows: Axis, columns: Axis, panels: int, partly: bool) -> PanelGrid:
    """Lay out cells of a fixed size, with the room that the longest names take."""
    width = len(columns.names) * _CELL_WIDTH
    height = len(rows.names) * (_CELL_HEIGHT_WITH_COVERAGE if partly else _CELL_HEIGHT)
    side = max(text_width(name, SMALL_SIZE) for name in rows.shown)
    left = 0.12
    return PanelGrid(
        panels,
        max(1, min(panels, int((PAGE_WIDTH + 0.3 - side) / (width + left)))),
        width,
        height,
        left=left,
        below=0.04,
        side=side,
        tail=max(text_width(name, SMALL_SIZE) for name in columns.shown) + 0.1,
    )


def _write(axes: Axes, row: int, column: int, cell: Any) -> None:
    """Write what a cell says: AUROC, "†" if cross-fitted, and the coverage below."""
    value = np.nan if cell is None else float(cell.auroc)
    covered = "" if cell is None else caveats.coverage_text(float(cell.coverage))
    box: dict[str, Any] | None
    if np.isnan(value):
        axes.add_patch(undefined_patch((column, row), zorder=1))
        words, size, colour = "none" if cell is None else "undef.", _COVERAGE_SIZE, "black"
        box = {"facecolor": UNDEFINED_COLOUR, "edgecolor": "none", "pad": 0.6}
    else:
        mark = caveats.DAGGER if caveats.is_cross_fitted(cell.fitted_on) else ""
        words, size, colour = f"{value:.2f}{mark}", _VALUE_SIZE, _ink(value)
        box = None
        if cell.coverage < caveats.LEAST_COVERAGE:
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=UNCOLOURED, linewidth=0))
            colour = "black"
    place: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "color": colour,
        "zorder": 3,
        "bbox": box,
    }
    height = 0.34 if covered else 0.5
    axes.text(column + 0.5, row + height, words, size=size, **place)
    if covered:
        axes.text(column + 0.5, row + 0.76, covered, size=_COVERAGE_SIZE, **place)


def _ink(value: float) -> str:
    """Return black or white, whichever can be read on the colour of that AUROC."""
    red, green, blue, _ = colormaps[COLOURS](value)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def _key(with_uncoloured: bool) -> list[Key]:
    """Make the entries that say what the colours mean."""
    shades = [
        Key(
            Rectangle((0, 0), 1, 1, facecolor=colormaps[COLOURS](shade), edgecolor="#999999"),
            f"{shade:g}",
        )
        for shade in _SHADES
    ]
    key = [*shades, Key(undefined_patch((0, 0)), "undefined")]
    if with_uncoloured:
        ground = Rectangle((0, 0), 1, 1, facecolor=UNCOLOURED, edgecolor="#999999")
        key.append(Key(ground, f"on fewer than {caveats.LEAST_COVERAGE:.0%}"))
    return key
