"""Figures of a report's tables, in a layout that adapts to the runs or in the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables

if TYPE_CHECKING:
    from slmroute_plugin.analysis.figures.saving import Drawn

# Matplotlib takes a while to load, and `slmroute --help` draws nothing: it is imported below.


class PaperFigures(NamedTuple):
    """The paper's figures as files, and what could not be drawn.

    Attributes:
        paths: paths of the files, in the order of the figures' numbers.
        notes: a line for each figure that lacks something, and for each model of several runs.
    """

    paths: Sequence[Path]
    notes: Sequence[str]


def draw_figures(tables: Tables, folder: Path, unparsed: Unparsed = "leave-out") -> list[Path]:
    """Draw all figures that the tables have rows for, as PNG and SVG.

    The same tables give the same bytes. Figures that would be empty are not made.

    Args:
        tables: what the figures show.
        folder: where the files go; it is made if it is not there.
        unparsed: what the tables did with answers without a confidence.

    Returns:
        Paths of the files.

    Raises:
        OSError: the folder cannot be written to.
    """
    from slmroute_plugin.analysis.figures.appearance import figure_style
    from slmroute_plugin.analysis.figures.catalogue import figures

    with figure_style():
        return _saved(figures(tables, unparsed), folder)


def draw_paper_figures(
    tables: Tables, folder: Path, unparsed: Unparsed = "leave-out"
) -> PaperFigures:
    """Draw the paper's figures 1 to 11, as far as there are runs of its models, as PNG and SVG.

    A file's name begins with the paper's number, as in "figure_04_auroc_aqua_boolq_coqa.png".

    Args:
        tables: what the figures show.
        folder: where the files go; it is made if it is not there.
        unparsed: what the tables did with answers without a confidence.

    Raises:
        OSError: the folder cannot be written to.
    """
    from slmroute_plugin.analysis.figures.appearance import figure_style
    from slmroute_plugin.analysis.figures.catalogue import with_categories
    from slmroute_plugin.analysis.figures.paper.drawing import drawings
    from slmroute_plugin.analysis.figures.paper.missing import missing
    from slmroute_plugin.analysis.figures.paper.models import passed_over
    from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
    from slmroute_plugin.analysis.figures.paper.specification import FIGURES

    runs = PaperRuns.among(with_categories(tables))
    paths: list[Path] = []
    notes = [*passed_over(runs.slms), *passed_over(runs.llms)]
    with figure_style():
        for figure in FIGURES:
            files = _saved(drawings(figure, runs, unparsed), folder)
            paths += files
            if line := missing(figure, runs, is_drawn=bool(files)):
                notes.append(line)
    return PaperFigures(paths, notes)


def _saved(figures: Iterable[Drawn], folder: Path) -> list[Path]:
    """Save each figure as it is drawn, so that no more than one figure is held."""
    from slmroute_plugin.analysis.figures.saving import save

    return [path for drawn in figures for path in save(drawn, folder)]
