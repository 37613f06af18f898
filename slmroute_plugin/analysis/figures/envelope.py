"""Sheets of the best accuracy for each budget: a panel for each data set, and over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from slmroute_plugin.analysis.figures.appearance import COLOURS, REFERENCE_COLOUR, Look, looks
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paging import PER_PAGE, pages
from slmroute_plugin.analysis.figures.saving import Drawn
from slmroute_plugin.analysis.figures.sheet import Key, PanelGrid, sheet
from slmroute_plugin.analysis.tables.verdict_rows import OVER_ALL

_MIXED = (0, (1, 2))
_SINGLE = (0, (5, 2))
_WIDE = 10
"""The ratio of the dearest to the cheapest budget from which the axis is logarithmic."""

_NOTE = (
    "What is the best on one half of the questions is judged on the other half; the band is its "
    "95% interval."
)


def by_dataset(envelope: pd.DataFrame, savings: pd.DataFrame, names: Names) -> Iterator[Drawn]:
    """Draw the envelope over all data sets, if there are several, and on each of them."""
    table = envelope.assign(dataset=envelope["dataset"].astype(str))
    savings = savings.assign(dataset=savings["dataset"].astype(str))
    datasets = names.in_order("datasets", table["dataset"])
    if len(datasets) > 1 and OVER_ALL in set(table["dataset"]):
        datasets = [OVER_ALL, *datasets]
    for page in pages(datasets, PER_PAGE):
        figure = _page(page.items, table, savings, names)
        yield Drawn(f"envelope{page.suffix}", figure)


def _page(
    datasets: Sequence[str], table: pd.DataFrame, savings: pd.DataFrame, names: Names
) -> Figure:
    """Draw a page of panels."""
    grid = PanelGrid.near_square(len(datasets), below=0.22, tail=0.2)
    llms = names.in_order("llms", table["llm"].astype(str))
    by_llm = looks(llms)
    drawn = sheet(
        "The best of all models, methods and thresholds for each budget",
        grid,
        _key(by_llm, names),
        [_NOTE],
        "dollars of a question (% of the dearest model alone)",
        "overall accuracy (%)",
    )
    for axes, dataset in zip(drawn.panels, datasets, strict=True):
        own = table[table["dataset"] == dataset]
        _draw(axes, own, savings[savings["dataset"] == dataset], by_llm)
        axes.set_title(
            "mean over data sets" if dataset == OVER_ALL else names.datasets[dataset], y=1.0
        )
    return drawn.figure


def _key(by_llm: Mapping[str, Look], names: Names) -> list[Key]:
    """Make the entries of the key."""
    grey = REFERENCE_COLOUR
    return [
        *(
            Key(_mark(each), f"best with routing to {names.llms[llm]}")
            for llm, each in by_llm.items()
        ),
        Key(_mark(None), "best is a model alone"),
        Key(Patch(facecolor=COLOURS[0], alpha=0.18), "95% interval"),
        Key(Line2D([], [], color=grey, linestyle=_SINGLE, linewidth=1), "best model alone"),
        Key(Line2D([], [], color=grey, linestyle=_MIXED, linewidth=1), "random mixtures of models"),
        Key(Line2D([], [], color=grey, linestyle="none", marker="x"), "each model alone"),
    ]


def _mark(look: Look | None) -> Line2D:
    """Make a mark on the line: of the LLM that is routed to, or of a model alone."""
    if look is None:
        return Line2D(
            [], [], color=COLOURS[0], marker="o", markerfacecolor="white", markeredgewidth=0.8
        )
    return Line2D([], [], color=COLOURS[0], marker=look.marker, markerfacecolor=look.colour,
                  markeredgecolor=look.colour)  # fmt: skip


def _draw(
    axes: Axes, table: pd.DataFrame, savings: pd.DataFrame, by_llm: Mapping[str, Look]
) -> None:
    """Draw a panel: the envelope with its interval, and models alone."""
    axes.grid(True)
    axes.set_axisbelow(True)
    # Where all models are free, all lies at 0.
    dearest = float(savings["cost_model_usd"].max()) or 1.0
    share = table["budget_usd"].to_numpy() / dearest
    if share[0] > 0 and share[-1] >= _WIDE * share[0]:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda at, _: f"{100 * at:g}")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    grey = REFERENCE_COLOUR
    axes.plot(
        savings["cost_model_usd"] / dearest,
        savings["accuracy_model"],
        color=grey, linestyle="none", marker="x", label="models",
    )  # fmt: skip
    mixed = table.assign(mixed=table["accuracy"] - table["gain_mixed"]).sort_values("cost_usd")
    axes.plot(
        mixed["cost_usd"] / dearest,
        mixed["mixed"],
        color=grey,
        linestyle=_MIXED,
        linewidth=1,
        label="mixed",
    )
    # Between two budgets, what is the best within the lower can be had.
    steps: dict[str, Any] = {"drawstyle": "steps-post", "linewidth": 1}
    accuracy = table["accuracy"].to_numpy()
    axes.plot(
        share, table["accuracy_single"], color=grey, dashes=_SINGLE[1], label="single", **steps
    )
    axes.plot(share, accuracy, color=COLOURS[0], label="best", **steps)
    low, high = table["accuracy_low"], table["accuracy_high"]
    axes.fill_between(share, low, high, step="post", color=COLOURS[0], alpha=0.18, linewidth=0)
    llm = np.where(table["method"].astype(str) == "", "", table["llm"].astype(str))
    for name in ["", *by_llm]:
        rows = llm == name
        if rows.any():
            mark = _mark(by_llm.get(name))
            mark.set(linestyle="none", label=f"best {name}", data=(share[rows], accuracy[rows]))
            axes.add_line(mark)
