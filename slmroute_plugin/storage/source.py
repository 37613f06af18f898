"""The provenance of answers: the model, the task that it was asked, and the data of that task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

ProbeRows = Literal["evaluation", "training", "cross_fit"]
PROBE_ROWS: tuple[ProbeRows, ...] = get_args(ProbeRows)
# What `datasets` calls its readers of files, where the Hub's data sets have an id.
FILE_FORMATS = frozenset({"arrow", "csv", "json", "pandas", "parquet", "sql", "text", "xml"})


@dataclass(frozen=True)
class Source:
    """A model that answered, and the task and data that it was asked.

    Attributes:
        model: The model as lm-eval was given it, with its revision and file if it has them.
        task: The name of the lm-eval task.
        dataset: The family of data that the task draws from. Subsets, other splits and renamed
            copies of one data set share it.
        hub: The data set's id on the Hub, or "" for a data set without one, such as files.
        rows: What probes may do with the rows: `evaluation` (never trained on), `training`, or
            `cross_fit` (each row is scored by a probe that never saw it, because the data set
            has no split to train on).
    """

    model: str
    task: str
    dataset: str
    hub: str = ""
    rows: ProbeRows = "evaluation"

    def same_data(self, other: Source) -> bool:
        """Return whether both sources draw from one data set, whatever they call it."""
        is_known = bool(self.hub) and self.hub not in FILE_FORMATS
        return self.dataset == other.dataset or (is_known and self.hub == other.hub)
