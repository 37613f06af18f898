"""Reliability diagrams: the share of right answers by confidence, before and after a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from slmroute_plugin.analysis.figures.appearance import (
    COLOURS,
    DASHES,
    MARKERS,
    REFERENCE_COLOUR,
    SMALL_SIZE,
    Dashes,
)
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn, Pages
from slmroute_plugin.analysis.figures.sheet import Key, PanelGrid, blank, sheet
from slmroute_plugin.analysis.tables import caveats
from slmroute_plugin.analysis.tables.calibration_rows import AS_IS
from slmroute_plugin.analysis.tables.file_names import file_parts
from slmroute_plugin.analysis.tables.tables import Tables

ELSEWHERE = "other data sets"

LEAST_ANSWERS = 10
"""The fewest answers of a bin that is drawn: the share of right answers among fewer says little."""


class Line(NamedTuple):
    """A line of a diagram.

    Attributes:
        label: what the key says.
        colour: the colour.
        dashes: matplotlib's (offset, on–off lengths).
        marker: matplotlib's sign.
    """

    label: str
    colour: str
    dashes: Dashes
    marker: str


LINES = {
    "as is": Line("confidence as it is", COLOURS[5], DASHES[0], MARKERS[0]),
    "home": Line("mapped by rows of the same data set", COLOURS[0], DASHES[1], MARKERS[1]),
    ELSEWHERE: Line("mapped by the other data sets alone", COLOURS[2], DASHES[2], MARKERS[2]),
}


def by_slm(tables: Tables, names: Names) -> Iterator[Pages]:
    """Plan sheets for each SLM: a panel for each method, over all its data sets."""
    slms = names.in_order("slms", tables.reliability["slm"])
    files = file_parts(slms)
    for slm in slms:
        rows = tables.reliability[tables.reliability["slm"] == slm]
        errors = tables.calibration[tables.calibration["slm"] == slm]
        yield partial(_of_slm, names.slms[slm], f"reliability_{files[slm]}", rows, errors, names)


def _of_slm(
    slm: str, file: str, rows: pd.DataFrame, errors: pd.DataFrame, names: Names
) -> Iterator[Drawn]:
    """Draw the sheets of an SLM.

    Args:
        slm: what is shown for its name.
        file: name of the file, without its ending and without the number of the page.
        rows: its rows of the table `reliability`.
        errors: its rows of the table `calibration`.
        names: what is shown for each name.
    """
    labels = caveats.labels(errors, names.methods)
    for page in pages(names.in_order("methods", rows["method"]), PER_PAGE):
        grid = PanelGrid.near_square(len(page.items))
        on_page = errors[errors["method"].isin(page.items)]
        drawn = sheet(
            f"Reliability of the confidences of {slm}, over all data sets",
            grid,
            _key(rows),
            _notes(on_page),
            "confidence, or probability that it is mapped to",
            "share of right answers (%)",
        )
        for number, (axes, method) in enumerate(zip(drawn.panels, page.items, strict=True)):
            draw(axes, rows[rows["method"] == method], on_page[on_page["method"] == method])
            axes.tick_params("x", labelbottom=grid.is_lowest(number))
            axes.set_title(labels[method], y=1.0)
        yield Drawn(f"{file}{page.suffix}", drawn.figure)


def pooled(reliability: pd.DataFrame) -> pd.DataFrame:
    """Pool the diagrams of several data sets, in which every answer counts the same.

    Args:
        reliability: rows of the table `reliability` of one SLM and method.

    Returns:
        `line`, a key of `LINES`, `bin`, `n`, `confidence` and `accuracy`, by line and bin.
    """
    n = reliability["n"]
    line = reliability["map_from"].astype(str).map(_line)
    sums = pd.DataFrame(
        {
            "line": line,
            "bin": reliability["bin"],
            "n": n,
            "confidence": n * reliability["confidence"],
            "accuracy": n * reliability["accuracy"],
        }
    )
    total = sums.groupby(["line", "bin"], as_index=False).sum()
    return total.assign(
        confidence=total["confidence"] / total["n"], accuracy=total["accuracy"] / total["n"]
    )


def draw(axes: Axes, reliability: pd.DataFrame, errors: pd.DataFrame) -> None:
    """Draw a panel: the diagonal, a line for each kind of map, and the mean ECE of each.

    Args:
        axes: where to draw.
        reliability: rows of the table `reliability` of one SLM and method.
        errors: rows of the table `calibration` of the same SLM and method.
    """
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xticks(ticks, ["0", ".25", ".5", ".75", "1"])
    axes.set_yticks(ticks, ["0", "25", "50", "75", "100"])
    if reliability.empty:
        blank(axes, "no confidences")
        return
    axes.plot([0, 1], [0, 1], color=REFERENCE_COLOUR, linewidth=0.6, label="_diagonal", zorder=1)
    total = pooled(reliability)
    total = total[total["n"] >= LEAST_ANSWERS]
    for name, line in LINES.items():
        points = total[total["line"] == name]
        if points.empty:
            continue
        axes.plot(
            points["confidence"].to_numpy(),
            points["accuracy"].to_numpy(),
            color=line.colour,
            linestyle=line.dashes,
            marker=line.marker,
            linewidth=0.9,
            markersize=2.6,
            markeredgewidth=0,
            label=name,
            zorder=2,
        )
    axes.text(
        0.97,
        0.05,
        f"ECE {ece_in_words(errors)}",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        size=SMALL_SIZE,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8},
    )


def ece_in_words(errors: pd.DataFrame) -> str:
    """Print the mean ECE over data sets: as it is, mapped at home, and mapped from elsewhere.

    Args:
        errors: rows of the table `calibration` of one SLM and method.
    """
    is_elsewhere = errors["map_from"] == ELSEWHERE
    home, elsewhere = errors[~is_elsewhere], errors[is_elsewhere]
    parts = [home["ece"].mean(), home["ece_after"].mean(), elsewhere["ece_after"].mean()]
    return " / ".join("–" if np.isnan(part) else f"{part:.2f}".removeprefix("0") for part in parts)


def _line(map_from: str) -> str:
    """Name the line that rows belong to."""
    if map_from == AS_IS:
        return "as is"
    return ELSEWHERE if map_from == ELSEWHERE else "home"


def _key(reliability: pd.DataFrame) -> list[Key]:
    """Make an entry for each line that is drawn anywhere."""
    there = set(reliability["map_from"].astype(str).map(_line))
    return [
        Key(
            Line2D(
                [],
                [],
                color=line.colour,
                linestyle=line.dashes,
                marker=line.marker,
                linewidth=0.9,
                markersize=3,
                markeredgewidth=0,
            ),
            line.label,
        )
        for name, line in LINES.items()
        if name in there
    ]


def _notes(errors: pd.DataFrame) -> Sequence[str]:
    """Say how to read a panel, and where there is no map."""
    notes = [
        f"A point is the answers, {LEAST_ANSWERS} or more, whose confidence lies in one of 15 "
        "bins; every answer counts the same. On the diagonal, confidence is the probability of "
        "being right. No answer is mapped by a map that was fitted on it. ECE: mean over data "
        "sets, of confidence as it is / mapped by rows of the same data set / mapped by the other "
        "data sets alone.",
        *caveats.notes(errors),
    ]
    without = errors[(errors["map"] == "") & (errors["map_from"] != ELSEWHERE)]
    if not without.empty:
        notes.append(
            f"Without a map: {len(without)} of {len(errors[errors['map_from'] != ELSEWHERE])} "
            "pairs of method and data set, which have too few right or wrong answers."
        )
    return notes
