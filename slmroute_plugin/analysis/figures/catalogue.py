"""Which figures there are, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pandas as pd

from slmroute_plugin.analysis.figures import (
    curves,
    distributions,
    heat_maps,
    rank_diagrams,
    relative_accuracy,
)
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.saving import Drawn
from slmroute_plugin.analysis.tables.tables import KEY, Tables


def figures(tables: Tables) -> Iterator[Drawn]:
    """Each figure as it is drawn, so that no more than one is held."""
    quick = Tables(
        **{field.name: _categorical(getattr(tables, field.name)) for field in fields(tables)}
    )
    names = Names.of(quick)
    if not quick.curves.empty:
        yield from curves.overview(quick, names)
    if not quick.relative_accuracy.empty:
        yield from relative_accuracy.overview(quick, names)
    if not quick.histograms.empty:
        yield from distributions.by_slm(quick, names)
    if not quick.alignment.empty:
        yield from heat_maps.by_group(quick, names)
    if not quick.curves.empty:
        yield from curves.by_llm(quick, names)
    if not quick.ranks.empty:
        yield from rank_diagrams.by_llm(quick, names)


def _categorical(table: pd.DataFrame) -> pd.DataFrame:
    """The table, names as categories: rows are picked and grouped many times by these."""
    names = [column for column in (*KEY, "llm") if column in table]
    return table.astype(dict.fromkeys(names, "category"))
