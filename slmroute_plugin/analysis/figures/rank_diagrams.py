"""Critical-difference diagrams: mean ranks of the methods, and which of them are not apart.

Source: Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets", 3.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, isnan, nan
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from slmroute_plugin.analysis.figures.appearance import SMALL_SIZE
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import ROWS_PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn
from slmroute_plugin.analysis.figures.sheet import PanelGrid, blank, sheet
from slmroute_plugin.analysis.figures.text_size import text_width
from slmroute_plugin.analysis.tables.file_names import file_parts

_LINE = 0.15
_BAR = 0.06
_RULER_WIDTH = 2.2


class Ranked(NamedTuple):
    """A method and its mean rank."""

    method: str
    rank: float


def by_llm(ranks: pd.DataFrame, names: Names) -> Iterator[Drawn]:
    """Draw sheets for each LLM: a diagram for each SLM."""
    llms = names.in_order("llms", ranks["llm"])
    files = file_parts(llms)
    for llm in llms:
        of_llm = ranks[ranks["llm"] == llm]
        for page in pages(names.in_order("slms", of_llm["slm"]), ROWS_PER_PAGE):
            diagrams = [of_llm[of_llm["slm"] == slm] for slm in page.items]
            most = max(len(rows) for rows in diagrams)
            margin = 0.12 + max(
                text_width(f"{shown} 00.00", SMALL_SIZE) for shown in names.methods.values()
            )
            size = _RULER_WIDTH + 2 * margin, 0.42 + ceil(most / 2) * (_LINE + _BAR)
            drawn = sheet(
                f"Mean ranks of the methods by area under the routing curve, to {names.llms[llm]}",
                PanelGrid(len(diagrams), 1, *size, left=0.1, below=0.1, side=0, tail=0.05),
                notes=_notes(of_llm[of_llm["slm"].isin(page.items)]),
            )
            for axes, slm, rows in zip(drawn.panels, page.items, diagrams, strict=True):
                axes.set_title(f"{names.slms[slm]} ({_basis(rows)})", y=1.0)
                draw(axes, rows, names, size, margin)
            yield Drawn(f"ranks_{files[llm]}{page.suffix}", drawn.figure)


def cliques(ranked: Sequence[Ranked], critical_difference: float) -> list[tuple[int, int]]:
    """Find the longest runs of methods whose ranks differ by at most the critical difference.

    Args:
        ranked: in ascending order of rank.
        critical_difference: NaN if there is none; there are no runs then.

    Returns:
        First and last place of each run of two methods or more; no run lies within another.
    """
    runs: list[tuple[int, int]] = []
    for first in range(len(ranked)):
        last = first
        while (
            last + 1 < len(ranked)
            and ranked[last + 1].rank - ranked[first].rank <= critical_difference
        ):
            last += 1
        if last > first and not (runs and runs[-1][1] >= last):
            runs.append((first, last))
    return runs


def draw(
    axes: Axes, rows: pd.DataFrame, names: Names, size: tuple[float, float], margin: float
) -> None:
    """Draw a diagram: best rank on the left; a thick line joins methods that are not apart.

    Args:
        axes: where to draw; its data become inches from the upper left.
        rows: rows of the table `ranks` of an SLM and an LLM.
        names: shown names and colours of methods.
        size: width and height of the axes in inches.
        margin: inches that are left for the names on each side.
    """
    width, height = size
    axes.set(xlim=(0, width), ylim=(height, 0))
    known = rows.dropna(subset="mean_rank").sort_values(["mean_rank", "method"])
    ranked = [Ranked(str(row.method), float(row.mean_rank)) for row in known.itertuples()]
    if not ranked:
        blank(axes, "undefined")
        return
    axes.set_axis_off()
    low, high = 1, max(2, len(ranked))

    def x(rank: float) -> float:
        """Return the place of a rank on the ruler, in inches from the left."""
        return margin + (rank - low) / (high - low) * (width - 2 * margin)

    critical = float(known["critical_difference"].max())
    line = 0.38
    _ruler(axes, [(x(rank), rank) for rank in range(low, high + 1)], line)
    if not isnan(critical):
        _critical_difference(axes, x(low), min(x(low + critical), width - 0.02), critical)
    runs = cliques(ranked, critical)
    for place, (first, last) in enumerate(runs):
        y = line + 0.06 + place * _BAR
        ends = [x(ranked[first].rank) - 0.03, x(ranked[last].rank) + 0.03]
        axes.plot(ends, [y, y], color="black", linewidth=2.2, solid_capstyle="butt", label="_run")
    top = line + 0.12 + len(runs) * _BAR
    half = ceil(len(ranked) / 2)
    for place, (method, rank) in enumerate(ranked):
        left = place < half
        y = top + (place if left else len(ranked) - 1 - place) * _LINE
        end = margin - 0.06 if left else width - margin + 0.06
        axes.plot(
            [x(rank), x(rank), end],
            [line, y, y],
            color=names.looks[method].colour,
            linewidth=0.9,
            label=method,
        )
        words = f"{names.methods[method]} {rank:.2f}"
        axes.text(
            end + (-0.03 if left else 0.03),
            y,
            words,
            ha="right" if left else "left",
            va="center",
            size=SMALL_SIZE,
        )


def _ruler(axes: Axes, ticks: Sequence[tuple[float, int]], y: float) -> None:
    """Draw the axis of ranks, with a tick at each whole rank."""
    axes.plot([ticks[0][0], ticks[-1][0]], [y, y], color="black", linewidth=0.8, label="_ruler")
    step = max(1, ceil(len(ticks) / 8))
    for place, (x, rank) in enumerate(ticks):
        axes.plot([x, x], [y - 0.04, y], color="black", linewidth=0.8, label="_tick")
        if place % step == 0:
            axes.text(x, y - 0.05, str(rank), ha="center", va="bottom", size=SMALL_SIZE)


def _critical_difference(axes: Axes, start: float, end: float, value: float) -> None:
    """Draw a bar as long as the critical difference, above the ruler."""
    y = 0.1
    axes.plot([start, end], [y, y], color="black", linewidth=1.2, label="_critical")
    for x in (start, end):
        axes.plot([x, x], [y - 0.03, y + 0.03], color="black", linewidth=1.2, label="_critical")
    axes.text(start - 0.05, y, f"CD {value:.2f}", ha="right", va="center", size=SMALL_SIZE)


def _basis(rows: pd.DataFrame) -> str:
    """Say what the ranks are means over, and whether they differ at all."""
    count = int(rows["datasets"].max())
    basis = f"{count} data set{'s' if count > 1 else ''}"
    p_value = rows["friedman_p_value"].max() if "friedman_p_value" in rows else nan
    if isnan(p_value):
        return basis
    return f"{basis}, Friedman p {'< 0.001' if p_value < 0.001 else f'= {p_value:.3f}'}"


def _notes(ranks: pd.DataFrame) -> list[str]:
    """Say what the marks mean, and where there can be none."""
    notes = ["Rank 1 is the largest area; means over data sets."]
    if ranks["critical_difference"].notna().any():
        notes.append(
            "CD: critical difference of the Nemenyi test at the 5% level. A thick line joins "
            "methods whose ranks differ by no more than that. It means something only where "
            "Friedman's test finds the methods unlike (small p)."
        )
    if ranks["critical_difference"].isna().any():
        notes.append("Without a critical difference: too few data sets or methods for a test.")
    return notes
