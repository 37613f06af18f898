"""Where answers come from: which model, asked which task, drawn from which data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

ProbeRows = Literal["evaluation", "training", "cross_fit"]
PROBE_ROWS: tuple[ProbeRows, ...] = get_args(ProbeRows)


@dataclass(frozen=True)
class Source:
    """Which model answered, and to what.

    Attributes:
        model: the model as lm-eval was given it, with revision and file where there are any.
        task: name of the lm-eval task.
        dataset: the family of data that the task draws from: subsets, other splits and
            renamed copies of one data set share it.
        hub: the data set's id on the Hub, or "" where there is none.
        rows: what probes may do with the rows: `evaluation` (never trained on), `training`,
            or `cross_fit` (each row is scored by a probe that never saw it, as there is no
            split to train on).
    """

    model: str
    task: str
    dataset: str
    hub: str = ""
    rows: ProbeRows = "evaluation"

    def same_data(self, other: Source) -> bool:
        """Whether both draw from one data set, under whatever names."""
        return self.dataset == other.dataset or (bool(self.hub) and self.hub == other.hub)
