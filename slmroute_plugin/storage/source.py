"""Where answers come from: which model, asked which task, drawn from which data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

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


def model_id(metadata: Mapping[str, Any]) -> str:
    """The model as lm-eval was given it, with revision and file; "" if it was passed in."""
    name = model_name(metadata)
    further = [metadata.get(key) for key in ("revision", "subfolder", "gguf_file")]
    return "@".join(str(part) for part in (name, *further) if part) if name else ""


def model_name(metadata: Mapping[str, Any]) -> str | None:
    """The name after which lm-eval calls the model's folder of results; None if passed in."""
    # lm-eval names a model's folder after the first of these arguments; it hands them to
    # tasks as part of the metadata, and the folder's name itself to nobody.
    for key in ("peft", "delta", "pretrained", "model", "path", "engine"):
        if metadata.get(key):
            return str(metadata[key])
    return None


def model_arguments(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What lm-eval was given to make the model from; empty if the model was passed in."""
    if model_name(metadata) is None:
        # What there is then comes from the task's file and from lm-eval.
        return {}
    return {
        key: value for key, value in metadata.items() if key not in ("slmroute", "config_source")
    }
