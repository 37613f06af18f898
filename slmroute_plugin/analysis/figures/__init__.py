"""Figures of a report's tables, in a layout that adapts to the runs or in the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import Tables
from slmroute_plugin.analysis.workers import Workers, done_by

if TYPE_CHECKING:
    from slmroute_plugin.analysis.figures.saving import Pages

# Matplotlib takes a while to load, and `slmroute --help` draws nothing: it is imported below.

MANY = 8
"""The number of figures from which on several processes draw them sooner than one does."""


class PaperFigures(NamedTuple):
    """The paper's figures as files, and what could not be drawn.

    Attributes:
        paths: paths of the files, in the order of the figures' numbers.
        notes: a line for each figure that lacks something, and for each model of several runs.
    """

    paths: Sequence[Path]
    notes: Sequence[str]


def draw_figures(
    tables: Tables, folder: Path, unparsed: Unparsed = "leave-out", pool: Workers = None
) -> list[Path]:
    """Draw all figures that the tables have rows for, as PNG and SVG.

    The same tables give the same bytes. Figures that would be empty are not made.

    Args:
        tables: what the figures show.
        folder: where the files go; it is made if it is not there.
        unparsed: what the tables did with answers without a confidence.
        pool: the processes that draw, if there are many figures.

    Returns:
        Paths of the files.

    Raises:
        OSError: the folder cannot be written to.
    """
    from slmroute_plugin.analysis.figures.catalogue import figures

    return _saved(figures(tables, unparsed), folder, pool)


def draw_paper_figures(
    tables: Tables, folder: Path, unparsed: Unparsed = "leave-out", pool: Workers = None
) -> PaperFigures:
    """Draw the paper's figures 1 to 11, as far as there are runs of its models, as PNG and SVG.

    A file's name begins with the paper's number, as in "figure_04_auroc_aqua_boolq_coqa.png".

    Args:
        tables: what the figures show.
        folder: where the files go; it is made if it is not there.
        unparsed: what the tables did with answers without a confidence.
        pool: the processes that draw, if there are many figures.

    Raises:
        OSError: the folder cannot be written to.
    """
    from slmroute_plugin.analysis.figures.catalogue import with_categories
    from slmroute_plugin.analysis.figures.paper.drawing import drawings
    from slmroute_plugin.analysis.figures.paper.missing import missing
    from slmroute_plugin.analysis.figures.paper.models import passed_over
    from slmroute_plugin.analysis.figures.paper.rows import PaperRuns
    from slmroute_plugin.analysis.figures.paper.specification import FIGURES

    runs = PaperRuns.among(with_categories(tables))
    planned: list[Pages] = []
    notes = [*passed_over(runs.slms), *passed_over(runs.llms)]
    for figure in FIGURES:
        own = list(drawings(figure, runs, unparsed))
        planned += own
        if line := missing(figure, runs, is_drawn=bool(own)):
            notes.append(line)
    return PaperFigures(_saved(planned, folder, pool), notes)


def _saved(figures: Iterable[Pages], folder: Path, pool: Workers) -> list[Path]:
    """Draw and save figures, and list the files in their order."""
    from slmroute_plugin.analysis.figures.saving import save_pages

    planned = dict(enumerate(figures))
    paths: dict[int, list[Path]] = {}
    pool = pool if len(planned) >= MANY else None
    for number, own in done_by(pool, partial(save_pages, folder=folder), planned):
        paths[number] = own
    return [path for number in planned for path in paths[number]]
