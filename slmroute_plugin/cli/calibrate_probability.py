"""The part of `slmroute calibrate` that maps confidences to probabilities of being right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.storage.atomic_write import check_writable, written_whole
from slmroute_plugin.storage.threshold_file import ThresholdFile

if TYPE_CHECKING:
    from slmroute_plugin.analysis.calibration.goals import GoalKind
    from slmroute_plugin.analysis.calibration.probability import CalibratedProbability, Errors
    from slmroute_plugin.analysis.calibration.selection import Selection

FOLDER = "probabilities"
_NAMES = {"ece": "ECE", "brier": "Brier score", "log_loss": "log-loss"}


def check_options(
    given: Mapping[GoalKind, float | None],
    others: Mapping[str, object],
    at_least: float | None,
    split: float,
) -> None:
    """Check the options that go with a map to probabilities.

    Args:
        given: the goals of a threshold, by kind.
        others: the further options of a threshold, by name; those that are None or false are not
            given.
        at_least: the least probability of being right; None for no threshold.
        split: the share of rows to learn from.

    Raises:
        typer.BadParameter: there is an option for a threshold too, or a number is out of range.
    """
    from slmroute_plugin.analysis.calibration.goals import option_of

    strays = [option_of(kind) for kind, value in given.items() if value is not None]
    strays += [option for option, value in others.items() if value not in (None, False)]
    if strays:
        raise typer.BadParameter(f"--probability stands alone, without {' and '.join(strays)}.")
    if not 0 < split < 1:
        raise typer.BadParameter(f"--split {split:g}: a share between 0 and 1 is needed.")
    if at_least is not None and not 0 < at_least < 1:
        raise typer.BadParameter(f"--at-least {at_least:g}: a number between 0 and 1 is needed.")


def write_map(
    selection: Selection, path: Path, share: float, seed: int, least: float | None, threshold: Path
) -> bool:
    """Fit a map, print what it does, and write it to a file; perhaps a threshold to another.

    Args:
        selection: the tasks and the method.
        path: the file of the map.
        share: the share of the evaluation rows to learn from, where there are no training rows.
        seed: the seed of the split and of the map.
        least: the least probability of being right with which an answer is to be kept; None for no
            threshold.
        threshold: the file of the threshold.

    Returns:
        Whether a threshold was found, or not asked for.

    Raises:
        typer.BadParameter: the rows do not allow a map.
    """
    from slmroute_plugin.analysis.calibration import probability
    from slmroute_plugin.analysis.calibration.reference import reference
    from slmroute_plugin.analysis.measures.probability_map import CannotMap
    from slmroute_plugin.plugins.methods import method_version

    if least is not None and probability.has_own_answers(selection):
        raise typer.BadParameter(
            f"--at-least: the confidences of {selection.method} are in answers of its own, and the "
            "model's first answer is kept: choose its threshold by --kept-accuracy."
        )
    for file in (path, *([threshold] if least is not None else [])):
        check_writable(file)
    try:
        calibrated = probability.calibrate_probability(selection, share, seed)
    except CannotMap as error:
        raise typer.BadParameter(f"no map can be fitted: {error}.") from None
    content = probability.probability_file(selection, calibrated, share, seed)
    with written_whole(path) as unfinished:
        unfinished.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(_kinds(calibrated))
    console.print(_errors_table(calibrated))
    console.print(_tasks_table(calibrated))
    console.print(f"Written: {path}")
    if least is None:
        return True
    confidence = probability.least_confidence(calibrated.map, least)
    rule = ThresholdFile(
        threshold=confidence,
        method=selection.method,
        slm=selection.slm,
        goal=f"kept answers are right with a probability of {least:g} at least",
        provenance={
            "probabilities": str(path),
            **content.provenance,
            **reference(selection, confidence, seed, method_version(selection.method)),
        },
    )
    with written_whole(threshold) as unfinished:
        unfinished.write_text(rule.model_dump_json(indent=2) + "\n", encoding="utf-8")
    console.print(
        f"No confidence is mapped to {least:g} or more: not attainable."
        if confidence is None
        else f"Threshold: {confidence:.6g}, which is mapped to {least:g}."
    )
    console.print(f"Written: {threshold}")
    return confidence is not None


def _kinds(calibrated: CalibratedProbability) -> str:
    """Say which kind of map was chosen, and why."""
    losses = ", ".join(f"{kind} {loss:.4f}" for kind, loss in calibrated.map.log_loss.items())
    return (
        f"Map: {calibrated.map.kind}, fitted on {calibrated.map.rows} rows (cross-validated "
        f"log-loss: {losses})."
    )


def _errors_table(calibrated: CalibratedProbability) -> Table:
    """Make a table of the errors before and after, with 95% intervals."""
    judged = sum(len(rows.judged.correct) for rows in calibrated.rows.values())
    table = Table(
        Column(f"On {judged} rows that it was not fitted on"),
        Column("Before", justify="right"),
        Column("95%", justify="right"),
        Column("After", justify="right"),
        Column("95%", justify="right"),
    )
    for name, shown in _NAMES.items():
        cells = [*_cells(calibrated.before, name), *_cells(calibrated.after, name)]
        table.add_row(shown, *cells)
    return table


def _cells(errors: Errors, name: str) -> tuple[str, str]:
    """Print an error and its interval."""
    ends = errors.intervals[name]
    return f"{getattr(errors.values, name):.4f}", f"{ends.low:.4f} to {ends.high:.4f}"


def _tasks_table(calibrated: CalibratedProbability) -> Table:
    """Make a table of the rows of each task."""
    table = Table(
        "Task",
        "Learned from",
        Column("Rows fitted", justify="right"),
        Column("Rows judged", justify="right"),
    )
    for task, rows in calibrated.rows.items():
        counts = (str(len(part.correct)) for part in (rows.fitted, rows.judged))
        table.add_row(task, rows.learned_from, *counts)
    return table
