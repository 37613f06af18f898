"""The tables that `slmroute probes` and `slmroute score` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.table import Column, Table

if TYPE_CHECKING:
    from slmroute_plugin.probes.probe import Probe, Provenance
    from slmroute_plugin.probes.training_data import ProbeProblem
    from slmroute_plugin.rescoring.by_probes import Scored
    from slmroute_plugin.storage.hidden_states import AnyFeature


class ListedProbe(NamedTuple):
    """A probe as a table lists it: without its weights, which would pile up in memory."""

    provenance: Provenance
    signal: AnyFeature

    @classmethod
    def of(cls, probe: Probe) -> ListedProbe:
        """Take from a probe what a table lists of it."""
        return cls(probe.provenance, probe.signal)


def probe_table(probes: list[ListedProbe], title: str) -> Table:
    """Make a table of probes: their rows, and the features that they read."""
    table = Table(
        Column("Data set", no_wrap=True),
        Column("Method", no_wrap=True),
        Column("Fitted on", no_wrap=True),
        Column("Rows", justify="right", no_wrap=True),
        Column("Right", justify="right", no_wrap=True),
        "Left out",
        title=title,
        caption="Feature: " + "; ".join(sorted({_in_words(probe.signal) for probe in probes})),
    )
    origins = (probe.provenance for probe in probes)
    for origin in sorted(origins, key=lambda origin: (origin.dataset, origin.method)):
        dropped = "; ".join(f"{count}: {why}" for why, count in origin.dropped.items())
        rows = str(sum(origin.training.values()))
        table.add_row(
            origin.dataset, origin.method, origin.in_words, rows, f"{origin.correct:.0%}",
            dropped or "none",
        )  # fmt: skip
    return table


def _in_words(signal: Any) -> str:
    """Describe the feature that a probe reads."""
    if methods := getattr(signal, "methods", ()):
        return f"confidences of {', '.join(methods)}"
    if not signal.is_of_model:
        return str(signal.in_words())
    position = getattr(signal, "position", None)
    return f"layer {signal.layer}, {position}" if position else "all layers, prompt"


def score_table(scored: list[Scored]) -> Table:
    """Make a table of the columns of confidences that were added to samples."""
    table = Table(
        Column("Task", no_wrap=True),
        Column("Method", no_wrap=True),
        Column("AUROC", justify="right"),
        Column("Rows", justify="right"),
        Column("Fitted on", no_wrap=True),
    )
    for column in scored:
        auroc = column.auroc if isinstance(column.auroc, str) else f"{column.auroc:.4f}"
        table.add_row(column.task, column.method, auroc, str(column.rows), column.fitted_on)
    return table


def say_problems(problems: list[ProbeProblem]) -> None:
    """Print problems on stderr, one a line."""
    for problem in problems:
        typer.echo(f"{problem.what}: {problem.why}", err=True)
