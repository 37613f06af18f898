"""A sheet of panels: a title, a grid, one key for all panels, and notes, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from slmroute_plugin.analysis.figures.appearance import (
    DOTS_PER_INCH,
    HATCH_COLOUR,
    SMALL_SIZE,
    TITLE_SIZE,
    UNDEFINED_COLOUR,
)
from slmroute_plugin.analysis.figures.text_size import line_height, text_width, wrapped

PAGE_WIDTH = 6.9
"""The width of a printed page in inches, so that a figure keeps its sizes of type."""

PAGE_HEIGHT = 8.6
"""The height in inches that panels may take; further panels go to a further page."""

_LEAST_WIDTH = 4.8
_SIDE = 0.1
_RIGHT = 0.16
_HANDLE = 0.55
_KEY_LINE = 0.155


class Key(NamedTuple):
    """An entry of the key: what is drawn, and what it stands for."""

    handle: Artist
    label: str


@dataclass(frozen=True)
class PanelGrid:
    """The panels of a sheet, in rows of `columns`, the last row perhaps shorter; sizes in inches.

    Attributes:
        panels: number of panels.
        columns: number of panels side by side.
        width: width of a panel, between its axes.
        height: height of a panel, between its axes.
        left: space beside each panel, for its ticks.
        above: space over each panel, for its title.
        below: space under each panel, for its ticks.
        head: further space over the first row.
        side: further space left of the first column.
        tail: further space under the last row.
    """

    panels: int
    columns: int
    width: float
    height: float
    left: float = 0.36
    above: float = 0.22
    below: float = 0.2
    head: float = 0.0
    side: float = 0.17
    tail: float = 0.17

    @classmethod
    def near_square(cls, panels: int, below: float = 0.08, tail: float = 0.3) -> PanelGrid:
        """Return a grid of panels for a printed page, about as wide as high."""
        if panels == 1:
            return cls(panels, 1, 4.2, 2.6, below=below, tail=tail)
        if panels in (2, 4):
            return cls(panels, 2, 2.9, 1.9, below=below, tail=tail)
        return cls(panels, 3, 1.85, 1.4, below=below, tail=tail)

    @property
    def rows(self) -> int:
        """The number of rows of panels."""
        return -(-self.panels // self.columns)

    @property
    def total_width(self) -> float:
        """The width of all panels and the space around them, in inches."""
        return self.side + self.columns * (self.left + self.width) + _RIGHT

    @property
    def total_height(self) -> float:
        """The height of all panels and the space around them, in inches."""
        return self.head + self.rows * (self.above + self.height + self.below) + self.tail

    def corner(self, panel: int) -> tuple[float, float]:
        """Return the left and the upper edge of a panel's axes, in inches from the upper left."""
        row, column = divmod(panel, self.columns)
        x = self.side + column * (self.left + self.width) + self.left
        y = self.head + row * (self.above + self.height + self.below) + self.above
        return x, y

    def is_lowest(self, panel: int) -> bool:
        """Tell whether no panel is below this panel."""
        return panel + self.columns >= self.panels

    def is_leftmost(self, panel: int) -> bool:
        """Tell whether no panel is to the left of this panel."""
        return panel % self.columns == 0


@dataclass(frozen=True, eq=False)
class Sheet:
    """A figure and its panels, row by row."""

    figure: Figure
    panels: Sequence[Axes]


def sheet(
    title: str,
    grid: PanelGrid,
    key: Sequence[Key] = (),
    notes: Sequence[str] = (),
    x_label: str = "",
    y_label: str = "",
) -> Sheet:
    """Make a sheet with empty panels, as wide and high as its parts ask for.

    Each part has a place of its own that is worked out in inches, so that no part reaches into
    another, whatever the number of panels and the length of names.

    Args:
        title: the title, which is wrapped to the width of the sheet.
        grid: the panels.
        key: entries of the legend, below the panels.
        notes: paragraphs at the bottom, which are wrapped too.
        x_label: name of the horizontal axis of all panels, written once below them.
        y_label: name of the vertical axis of all panels, written once beside them.
    """
    width = max(grid.total_width, _LEAST_WIDTH)
    head = wrapped(title, width - 2 * _SIDE, TITLE_SIZE)
    foot = [line for note in notes for line in wrapped(note, width - 2 * _SIDE, SMALL_SIZE)]
    columns = _key_columns(key, width)
    head_height = len(head) * line_height(TITLE_SIZE) + 0.12
    key_height = -(-len(key) // columns) * _KEY_LINE + 0.08 if key else 0.0
    height = head_height + grid.total_height + key_height + len(foot) * line_height(SMALL_SIZE)
    height += _SIDE

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)

    def place(x: float, y: float) -> tuple[float, float]:
        """Return the figure's own coordinates of a point in inches from the upper left."""
        return x / width, 1 - y / height

    figure.text(*place(_SIDE, 0.06), "\n".join(head), va="top", size=TITLE_SIZE, linespacing=1.25)
    # Centred on the sheet if the title is wider than the panels.
    shift = (width - grid.total_width) / 2
    panels = []
    for number in range(grid.panels):
        x, y = grid.corner(number)
        left, bottom = place(x + shift, head_height + y + grid.height)
        panels.append(_panel(figure, (left, bottom, grid.width / width, grid.height / height)))
    bottom_of_grid = head_height + grid.total_height
    middle = shift + grid.side + (grid.total_width - grid.side) / 2
    if x_label:
        figure.text(*place(middle, bottom_of_grid - 0.02), x_label, ha="center", va="bottom")
    if y_label:
        x, y = place(shift + 0.06, head_height + (grid.head + grid.total_height - grid.tail) / 2)
        figure.text(x, y, y_label, rotation=90, ha="left", va="center")
    if key:
        _draw_key(figure, key, columns, place(width / 2, bottom_of_grid + 0.02))
    if foot:
        notes_at = place(_SIDE, bottom_of_grid + key_height + 0.02)
        figure.text(*notes_at, "\n".join(foot), va="top", size=SMALL_SIZE, linespacing=1.25)
    return Sheet(figure, panels)


def blank(axes: Axes, words: str) -> None:
    """Hatch a panel that has nothing to show, and write the reason on it."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.add_patch(undefined_patch((0, 0), transform=axes.transAxes))
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        ha="center",
        va="center",
        size=SMALL_SIZE,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )


def undefined_patch(corner: tuple[float, float], **more: Any) -> Patch:
    """Make a hatched grey square of side 1, which stands where nothing is defined."""
    style: dict[str, Any] = {
        "facecolor": UNDEFINED_COLOUR,
        "edgecolor": HATCH_COLOUR,
        "linewidth": 0,
    }
    return Rectangle(corner, 1, 1, hatch="////", **(style | more))


def _key_columns(key: Sequence[Key], width: float) -> int:
    """Return how many entries fit side by side, in rows of nearly the same length."""
    widths = [text_width(label, SMALL_SIZE) + _HANDLE for _, label in key]
    for rows in range(1, len(key)):
        # The key is filled column by column.
        columns = [widths[start : start + rows] for start in range(0, len(widths), rows)]
        if sum(map(max, columns)) <= width - 2 * _SIDE:
            return -(-len(key) // rows)
    return 1


def _draw_key(figure: Figure, key: Sequence[Key], columns: int, top: tuple[float, float]) -> None:
    """Draw the key, with the middle of its upper edge at `top`."""
    legend = figure.legend(
        [handle for handle, _ in key],
        # A label that begins with "_" would be left out: they are put in afterwards.
        ["-"] * len(key),
        loc="upper center",
        bbox_to_anchor=top,
        ncols=columns,
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=3.2,
        handletextpad=0.6,
        columnspacing=1.2,
        borderaxespad=0.0,
        borderpad=0.2,
        labelspacing=0.4,
    )
    for text, (_, label) in zip(legend.get_texts(), key, strict=True):
        text.set_text(label)


def _panel(figure: Figure, place: tuple[float, float, float, float]) -> Axes:
    """Add axes at (left, bottom, width, height), as shares of the figure's size."""
    axes = figure.add_axes(place)
    # Labels that are looked for a place at each drawing take as long as all else.
    axes.xaxis.set_label_coords(0.5, -0.2)
    axes.yaxis.set_label_coords(-0.2, 0.5)
    axes.set_title("", y=1.0)
    return axes
