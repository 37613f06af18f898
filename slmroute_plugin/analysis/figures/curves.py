"""A panel of routing curves: overall accuracy against the share of questions that are routed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from slmroute_plugin.analysis.figures.appearance import REFERENCE_COLOUR, Look
from slmroute_plugin.analysis.figures.coverage import TOO_FEW
from slmroute_plugin.analysis.figures.sheet import Key, blank

MARKS = 5
"""The number of markers on each line."""

_RANDOM = (0, (1, 2))
_ORACLE = (0, (8, 2, 2, 2))


class Panel(NamedTuple):
    """The curves of a panel.

    Attributes:
        methods: accuracy, [ratio × method].
        random: accuracy of routing at random, by ratio.
        oracle: accuracy of the best possible order, by ratio.
        settings: number of settings (SLM, LLM, data set) that each method's mean is over.
        left_out: methods without a line, as it would be over too few questions, and what share
            of them it would be over.
        nothing: what the panel says if it has no line.
    """

    methods: pd.DataFrame
    random: pd.Series
    oracle: pd.Series
    settings: pd.Series
    left_out: Mapping[str, float]
    nothing: str = "undefined"


def averaged(curves: pd.DataFrame, left_out: Mapping[str, float]) -> Panel:
    """Average the curves of each method over the settings in the rows.

    Where methods have unlike coverage, random routing and the oracle differ between them, since
    each counts its own rows. Shown are those that most methods share; of several such groups, that
    of the method whose accuracy before routing is in the middle.

    Args:
        curves: rows of the table `curves`.
        left_out: methods that get no line, and the share of the questions that they cover.
    """
    curves = curves[~curves["method"].isin(list(left_out))]
    means = curves.groupby(["method", "ratio"], observed=True)[
        ["accuracy", "random", "oracle"]
    ].mean()
    defined = curves.dropna(subset="accuracy")
    settings = (
        defined[["slm", "llm", "dataset", "method"]]
        .drop_duplicates()
        .groupby("method", observed=True)
        .size()
    )
    start = means["random"].groupby("method").first().dropna().sort_values(kind="stable")
    if start.empty:
        empty = pd.Series(dtype=float)
        words = TOO_FEW if curves.empty and left_out else "undefined"
        return Panel(pd.DataFrame(), empty, empty, settings, left_out, words)
    shared = start.round(9).value_counts(sort=False)
    usual = shared.index[shared == shared.max()]
    alike = start[start.round(9) == usual[(len(usual) - 1) // 2]]
    reference = means.loc[alike.index[0]]
    methods = means["accuracy"].unstack("method").dropna(axis="columns", how="all")
    return Panel(methods, reference["random"], reference["oracle"], settings, left_out)


def draw(axes: Axes, panel: Panel, looks: Mapping[str, Look], numbered: bool = True) -> None:
    """Draw a panel: the oracle, random routing, and a line for each method; numbers in percent.

    Args:
        axes: where to draw.
        panel: what to draw.
        looks: line style of each method.
        numbered: whether the ratios are written below.
    """
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.set_xlim(0, 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.tick_params("x", labelbottom=numbered)
    if panel.methods.empty:
        blank(axes, panel.nothing)
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
            **line_style(looks[str(method)], len(curve)),
            label=str(method),
        )
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))


def key(
    labels: Mapping[str, str], looks: Mapping[str, Look], without_line: Collection[str]
) -> list[Key]:
    """Make the key's entries for the methods, random routing and the oracle.

    The arguments are those of `method_keys`.
    """
    entries = method_keys(labels, looks, without_line)
    for label, dashes in (("random routing", _RANDOM), ("oracle", _ORACLE)):
        entries.append(Key(Line2D([], [], color=REFERENCE_COLOUR, linestyle=dashes), label))
    return entries


def method_keys(
    labels: Mapping[str, str], looks: Mapping[str, Look], without_line: Collection[str]
) -> list[Key]:
    """Make the key's entries for the methods.

    Args:
        labels: what the key says of each method.
        looks: line style of each method.
        without_line: methods that have a line in no panel, and so in the key.
    """
    entries = []
    for method, label in labels.items():
        if method in without_line:
            entries.append(Key(Line2D([], [], linestyle="none"), f"{label}: not drawn"))
        else:
            entries.append(Key(Line2D([], [], **line_style(looks[method], 1)), label))
    return entries


def line_style(look: Look, points: int) -> dict[str, Any]:
    """Return the arguments of a method's line; different lines have markers at different ratios."""
    step = max(1, points // MARKS)
    return {
        "color": look.colour,
        "linestyle": look.dashes,
        "marker": look.marker,
        "markevery": ((look.place * 3 + 2) % step, step),
        "markeredgewidth": 0,
    }
