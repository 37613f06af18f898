"""The look of all figures: fonts, colours that the colour-blind can tell apart, line styles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from matplotlib import rc_context

DOTS_PER_INCH = 200
"""The resolution of PNG files, at which text is measured too: its width depends on it."""

TITLE_SIZE = 9.5
TEXT_SIZE = 8.0
SMALL_SIZE = 7.0

REFERENCE_COLOUR = "#555555"
UNDEFINED_COLOUR = "#d9d9d9"
HATCH_COLOUR = "#9a9a9a"

COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#882255",
    "#56B4E9",
    "#D55E00",
    "#332288",
    "#CC79A7",
)
"""From the palettes of Okabe and Ito (2008) and Tol (2021), without black and yellow."""

Dashes = tuple[float, tuple[float, ...]]

DASHES: tuple[Dashes, ...] = (
    (0, ()),
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (3, 1)),
    (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)),
    (0, (9, 2)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p")

# The font comes with matplotlib: what is installed on a machine changes nothing.
_SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "axes.titlesize": TEXT_SIZE,
    "axes.labelsize": TEXT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "hatch.linewidth": 0.5,
    "legend.fontsize": SMALL_SIZE,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    # A model may be named $x_y$.
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "slmroute",
    "path.simplify": True,
}


class Look(NamedTuple):
    """What tells a line from the others.

    Attributes:
        colour: hexadecimal.
        dashes: matplotlib's (offset, on–off lengths).
        marker: matplotlib's sign for it.
        place: number of the line, by which markers of different lines are set apart.
    """

    colour: str
    dashes: Dashes
    marker: str
    place: int


def look(place: int, colour: int | None = None) -> Look:
    """Return the look of line number `place` ≥ 0; 616 differ in colour, dashes or marker.

    Args:
        place: number of the line.
        colour: number of the colour, where lines of a family share it; by default `place`.
    """
    return Look(
        COLOURS[(place if colour is None else colour) % len(COLOURS)],
        DASHES[place % len(DASHES)],
        MARKERS[place % len(MARKERS)],
        place,
    )


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each name by its place in the alphabet: the same in all figures."""
    return {name: look(place) for place, name in enumerate(sorted(set(names)))}


@contextmanager
def figure_style() -> Iterator[None]:
    """Set matplotlib up for figures that are made and saved within, and restore it afterwards.

    The settings are those of the process: draw in a single thread at a time.
    """
    # Some settings are read when text is made, others when a file is written.
    with rc_context(_SETTINGS):
        yield
