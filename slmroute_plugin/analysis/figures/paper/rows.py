"""The rows of a report's tables that the paper's figures show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from slmroute_plugin.analysis.figures.appearance import looks
from slmroute_plugin.analysis.figures.names import Names
from slmroute_plugin.analysis.figures.paper.models import RunOf, runs_of, shown_names
from slmroute_plugin.analysis.figures.paper.specification import (
    DATASETS,
    LLMS,
    METHODS,
    SLMS,
    Figure,
)
from slmroute_plugin.analysis.tables.tables import Tables


@dataclass(frozen=True)
class PaperRuns:
    """The runs of the paper's models, and the tables that hold them.

    Attributes:
        tables: the tables of a report.
        slms: the SLMs' runs, by the paper's name of the model.
        llms: the LLMs' runs, by the paper's name of the model.
    """

    tables: Tables
    slms: Mapping[str, RunOf]
    llms: Mapping[str, RunOf]

    @classmethod
    def among(cls, tables: Tables) -> PaperRuns:
        """Find the runs of the paper's models in a report's tables."""
        llms = tables.routing["llm"].unique() if "llm" in tables.routing else ()
        return cls(
            tables,
            runs_of(SLMS, map(str, tables.alignment["slm"].unique())),
            runs_of(LLMS, map(str, llms)),
        )

    @property
    def names(self) -> Names:
        """The names that figures show: the paper's terms for models, data sets and methods."""
        return Names(
            shown_names(self.slms), shown_names(self.llms), DATASETS, METHODS, looks(METHODS)
        )

    def rows_of(self, figure: Figure, table: pd.DataFrame) -> pd.DataFrame:
        """Pick the rows of a table that a figure shows."""
        wanted: dict[str, Sequence[str]] = {
            "slm": [self.slms[name].run for name in figure.slms if name in self.slms],
            "dataset": figure.datasets,
            "method": figure.methods,
        }
        if figure.llm is not None and "llm" in table:
            wanted["llm"] = [self.llms[figure.llm].run] if figure.llm in self.llms else []
        for column, values in wanted.items():
            if column not in table:
                return table.iloc[:0]
            table = table[table[column].isin(values)]
        return table
