"""Recognising the paper's models among runs, by the names under which they are published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from slmroute_plugin.analysis.figures.paper.specification import Model

_PRECISION = re.compile(
    r"(fp|bf|int|w|q)\d+\w*|[kmls]|awq|gptq|bnb|gguf|exl2|mlx|unsloth|dynamic|quantized|turbo|hf|\d+bit"
)
"""The parts of a name that say how a model's weights are stored or served."""


@dataclass(frozen=True)
class RunOf:
    """The run that stands for a model of the paper.

    Attributes:
        run: name of the run, as the tables have it.
        shown: what figures show: the paper's name, or the run's own if it is a variant.
        passed_over: names of further runs of the same model.
    """

    run: str
    shown: str
    passed_over: tuple[str, ...] = ()


def runs_of(models: Sequence[Model], runs: Iterable[str]) -> dict[str, RunOf]:
    """Find the run of each model of the paper.

    A run is named by its folder: lm-eval writes "org/model" as "org__model". Organisation, case
    and the way in which weights are stored ("-AWQ", "-FP8", "-bnb-4bit") do not matter; a name
    with any other addition ("-Base", "-Distill-Qwen-7B", "-2507") is another model. Of several runs
    of a model, the run with the least addition counts.

    Args:
        models: the paper's SLMs or its LLMs.
        runs: names of runs.

    Returns:
        The runs by the paper's name of their model, in the paper's order.
    """
    names = sorted(set(runs))
    chosen = {}
    for model in models:
        additions = {run: a for run in names if (a := _addition(model, run)) is not None}
        if additions:
            first, *others = sorted(additions, key=lambda run: (len(additions[run]), run))
            shown = _bare(first) if additions[first] else model.name
            chosen[model.name] = RunOf(first, shown, tuple(others))
    return chosen


def shown_names(runs: Mapping[str, RunOf]) -> dict[str, str]:
    """Return what figures show for each run, in the order of the runs."""
    return {run.run: run.shown for run in runs.values()}


def passed_over(runs: Mapping[str, RunOf]) -> list[str]:
    """Say of which models there are several runs, and which run the figures show."""
    return [
        f"{name} has several runs: the paper's figures show {run.run}, "
        f"not {', '.join(run.passed_over)}."
        for name, run in runs.items()
        if run.passed_over
    ]


def _addition(model: Model, run: str) -> str | None:
    """Return what a run's name says of how the weights are stored; None if it is another model.

    >>> qwen = Model("Qwen3-4B", ("Qwen3-4B",))
    >>> _addition(qwen, "Qwen__Qwen3-4B"), _addition(qwen, "qwen3-4b-AWQ")
    ('', '-awq')
    """
    name = _bare(run).lower()
    for hub_name in map(str.lower, model.hub_names):
        addition = name.removeprefix(hub_name)
        if name == hub_name:
            return ""
        if addition != name and addition[0] in "-._":
            parts = re.split(r"[-._]", addition[1:])
            if all(_PRECISION.fullmatch(part) for part in parts):
                return addition
    return None


def _bare(run: str) -> str:
    """Return a run's name without the organisation."""
    return re.split(r"/|__", run.rstrip("/_"))[-1]
