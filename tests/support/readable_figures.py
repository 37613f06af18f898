"""Figures of made-up tables, laid out, and whether what they say can be read."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from slmroute_plugin.analysis.figures.appearance import figure_style
from slmroute_plugin.analysis.figures.catalogue import figures
from slmroute_plugin.analysis.tables.tables import Tables

Drawings = dict[str, Figure]


def drawn(tables: Tables) -> Drawings:
    """All figures, laid out."""
    with figure_style():
        found = {}
        for one in chain.from_iterable(pages() for pages in figures(tables)):
            one.figure.draw_without_rendering()
            found[one.name] = one.figure
        return found


def panels(figure: Figure) -> dict[str, Axes]:
    """The panels by their titles."""
    return {axes.get_title() or axes.get_title("left"): axes for axes in figure.axes}


def words(figure: Figure) -> list[Text]:
    """All text that is seen."""
    found = {
        id(text): text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip()
    }
    hidden = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for label in (tick.label1, tick.label2)
        if not axes.axison
        or not label.get_visible()
        or not _in_view(axis.get_view_interval(), tick.get_loc())
    }
    hidden |= {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if not axes.axison
        for label in (axis.label, axis.offsetText)
    }
    return [text for key, text in found.items() if key not in hidden]


def _in_view(view: np.ndarray, place: float) -> bool:
    low, high = sorted(view)
    return bool(low - 1e-9 <= place <= high + 1e-9)


def assert_readable(name: str, figure: Figure) -> None:
    """No text reaches out of the figure, into other text, or into a panel that is not its own."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    edges = figure.bbox
    boxes = [(text, text.get_window_extent(renderer)) for text in words(figure)]
    for text, box in boxes:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= edges.x1 + 1 and box.y1 <= edges.y1 + 1
        assert inside, f"{name}: {text.get_text()!r} is cut off"
        assert text.get_size() >= 5, f"{name}: {text.get_text()!r} is too small"
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        upwards = min(a.y1, b.y1) - max(a.y0, b.y0)
        # Boxes hold room for ascenders and descenders that the text may not have.
        assert across < 1 or upwards < 2, f"{name}: {one.get_text()!r} is on {other.get_text()!r}"
    for axes in figure.axes:
        frame = axes.get_window_extent(renderer)
        for text, box in boxes:
            if text.axes is axes:
                continue
            across = min(frame.x1, box.x1) - max(frame.x0, box.x0)
            upwards = min(frame.y1, box.y1) - max(frame.y0, box.y0)
            assert across < 1 or upwards < 2, f"{name}: {text.get_text()!r} is on a panel"
