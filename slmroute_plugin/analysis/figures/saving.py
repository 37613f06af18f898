"""Figures as files, PNG to look at and SVG to print; the same tables give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from slmroute_plugin.analysis.figures.appearance import figure_style
from slmroute_plugin.storage.atomic_write import written_whole


class Drawn(NamedTuple):
    """A figure, and the name of its files without their ending."""

    name: str
    figure: Figure


Pages = Callable[[], Iterable[Drawn]]
"""A function that draws the pages of a figure. It can be sent to another process."""


def save_pages(pages: Pages, folder: Path) -> list[Path]:
    """Draw the pages of a figure, and save each before the next is drawn.

    Returns:
        The paths of the files.

    Raises:
        OSError: the folder cannot be written to.
    """
    with figure_style():
        return [path for drawn in pages() for path in save(drawn, folder)]


def save(drawn: Drawn, folder: Path) -> list[Path]:
    """Write `<name>.png` and `<name>.svg`; a file is there whole or not at all.

    Returns:
        The two paths.

    Raises:
        OSError: the folder cannot be written to.
    """
    figure = drawn.figure
    png, svg = folder / f"{drawn.name}.png", folder / f"{drawn.name}.svg"
    # `Figure.savefig` would draw each twice, to find a layout that is fixed already.
    with written_whole(png) as path:
        agg: Any = FigureCanvasAgg(figure)
        agg.print_png(path, metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    with written_whole(svg) as path:
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        vector: Any = FigureCanvasSVG(figure)
        vector.print_svg(path, metadata=nothing)
    return [png, svg]
