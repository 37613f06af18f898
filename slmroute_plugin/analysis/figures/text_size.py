"""How much room text takes in a figure, in inches."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from slmroute_plugin.analysis.figures.appearance import DOTS_PER_INCH

_INCH = 72.0
_LINE_SPACING = 1.5


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break text into lines of at most `width` inches; a longer word has a line of its own.

    Args:
        text: any text; white space of all kinds counts as one space.
        width: in inches.
        size: of the type, in points.
    """
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def text_width(text: str, size: float) -> float:
    """Return the inches that a text takes at that size in points, or a little more."""
    width, _, _ = _canvas().get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width) / DOTS_PER_INCH * 1.02


def line_height(size: float) -> float:
    """Return the inches from one line of text to the next at that size in points."""
    return size * _LINE_SPACING / _INCH


@cache
def _canvas() -> Any:
    """Return a canvas of 1 × 1 pixels, which measures text."""
    untyped: Any = RendererAgg
    return untyped(1, 1, DOTS_PER_INCH)
