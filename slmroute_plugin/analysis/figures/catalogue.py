"""The figures of a report in its own layout, which adapts to the runs that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial

import pandas as pd

from slmroute_plugin.analysis.figures import (
    cost_curves,
    curve_sheets,
    distributions,
    envelope,
    heat_maps,
    rank_diagrams,
    relative_accuracy,
    reliability,
)
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.saving import Pages
from slmroute_plugin.analysis.tables.setting_tables import Unparsed
from slmroute_plugin.analysis.tables.tables import KEY, Tables


def figures(tables: Tables, unparsed: Unparsed = "leave-out") -> Iterator[Pages]:
    """Plan the figures that the tables have rows for; each keeps its own rows alone.

    Args:
        tables: what the figures show.
        unparsed: what the tables did with answers without a confidence.
    """
    quick = with_categories(tables)
    names = Names.of(quick)
    if not quick.curves.empty:
        yield curve_sheets.overview(quick, names, unparsed)
    if not quick.relative_accuracy.empty:
        yield relative_accuracy.overview(quick, names, unparsed)
    if not quick.histograms.empty:
        yield from distributions.by_slm(quick, names)
    if not quick.alignment.empty:
        yield from heat_maps.by_group(quick, names)
    if not quick.curves.empty:
        yield from curve_sheets.by_llm(quick, names, unparsed)
        yield from cost_curves.by_llm(quick, names, unparsed)
    if not quick.envelope.empty:
        yield partial(envelope.by_dataset, quick.envelope, quick.savings, names)
    if not quick.ranks.empty:
        yield partial(rank_diagrams.by_llm, quick.ranks, names)
    if not quick.reliability.empty:
        yield from reliability.by_slm(quick, names)


def with_categories(tables: Tables) -> Tables:
    """Turn the names in all tables into categories, by which rows are picked much faster."""
    return Tables(
        **{field.name: _categorical(getattr(tables, field.name)) for field in fields(tables)}
    )


def _categorical(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the columns of names of a table into categories."""
    names = [column for column in (*KEY, "llm") if column in table]
    return table.astype(dict.fromkeys(names, "category"))
