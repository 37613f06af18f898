"""The paper's figures, from a report's tables."""

from __future__ import annotations

from pathlib import Path

from slmroute_plugin.analysis.tables.tables import Tables


def draw_figures(tables: Tables, folder: Path) -> list[Path]:
    """Draws all figures that the tables have rows for, as PNG and SVG.

    The same tables give the same bytes. Figures that would be empty are not made.

    Args:
        tables: what the figures show.
        folder: where they go; made if it is not there.

    Returns:
        Paths of the files, in the order of the figures' numbers.

    Raises:
        OSError: the folder cannot be written to.
    """
    # Matplotlib takes a while to load, and `slmroute --help` draws nothing.
    from slmroute_plugin.analysis.figures.appearance import figure_style
    from slmroute_plugin.analysis.figures.catalogue import figures
    from slmroute_plugin.analysis.figures.saving import save

    paths: list[Path] = []
    with figure_style():
        for drawn in figures(tables):
            paths += save(drawn, folder)
    return paths
