"""The command `slmroute check`: whether a threshold still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli.decision_log import read_log
from slmroute_plugin.cli.slm_options import ThresholdPath, threshold_rule

if TYPE_CHECKING:
    from slmroute_plugin.analysis.calibration.holds import Checked, LaterAnswers
    from slmroute_plugin.serving.threshold_rule import ThresholdRule
    from slmroute_plugin.storage.threshold_file import ThresholdFile

_NOTHING_TESTED = 3


def check(
    threshold_file: ThresholdPath,
    run: Annotated[
        Path | None,
        typer.Option(help="A later run of the small model: results/MODEL.", show_default=False),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="A log of slmroute serve.", show_default=False)
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(min=1e-9, max=0.5, help="Probability of a false alarm, over all tests."),
    ] = 0.05,
    least_shift: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="The least distance between the distributions of confidences, from 0 to 1, that "
            "is an alarm.",
        ),
    ] = 0.1,
) -> None:
    """Check whether a threshold still holds, on a later run or on a log of decisions.

    The model, the prompt, the method and the price must be those of the calibration, and the
    confidences, the share routed and, in a run, the accuracy of kept answers must not have moved.
    The exit status is 0 if the threshold holds, 1 if it does not, and 3 if nothing could be tested.

    Example: slmroute check perplexity.ratio-0.3.json --run results/Qwen__Qwen3-0.6B

    Example: slmroute check perplexity.ratio-0.3.json --log decisions.jsonl
    """
    rule = threshold_rule(threshold_file)
    if (run is None) == (log is None):
        raise typer.BadParameter("give either --run or --log.")
    if "reference" not in rule.file.provenance:
        raise typer.BadParameter(
            f"{threshold_file} does not hold what it was calibrated on: an earlier version wrote "
            "it. Write it again with slmroute calibrate."
        )
    from slmroute_plugin.analysis.calibration.holds import Alarms, check_threshold
    from slmroute_plugin.analysis.calibration.setup_changes import file_changes
    from slmroute_plugin.plugins.methods import method_version

    if run is not None:
        later, changes = _of_run(rule.file, run)
    else:
        assert log is not None
        later, changes = _of_log(rule, log)
    changes = [*file_changes(rule.file, method_version(rule.method)), *changes]
    checked = check_threshold(rule.file, rule.threshold, later, Alarms(alpha, least_shift))
    _say(checked, changes, Console(markup=False, highlight=False, soft_wrap=True))
    if changes or any(finding.is_alarm for finding in checked.findings):
        typer.echo("The threshold no longer holds: calibrate it on fresh answers.")
        raise typer.Exit(1)
    if not checked.findings:
        typer.echo("Nothing could be tested.", err=True)
        raise typer.Exit(_NOTHING_TESTED)
    typer.echo("No sign that the threshold does not hold.")


def _of_run(file: ThresholdFile, run: Path) -> tuple[list[LaterAnswers], list[str]]:
    """Read the later answers from a run, and what has changed in how they were asked.

    Raises:
        typer.BadParameter: the folder holds no answers with the method's confidences.
    """
    from slmroute_plugin.analysis.calibration.holds import LaterAnswers
    from slmroute_plugin.analysis.calibration.setup_changes import run_changes
    from slmroute_plugin.analysis.study.reading import newest_files, read_run
    from slmroute_plugin.storage.sample_files import SampleFileError, lines_in_words

    if not run.is_dir():
        raise typer.BadParameter(f"there is no folder {run}.", param_hint="--run")
    later: list[LaterAnswers] = []
    changes: list[str] = []
    if run.resolve().name != file.slm:
        changes.append(f"the model is {run.resolve().name}, and was {file.slm}")
    files, _ = newest_files(run.resolve().parent)
    for own in files:
        if own.model != run.resolve().name:
            continue
        try:
            answers = read_run(own.path, own.model, own.task)
        except SampleFileError as error:
            typer.echo(f"Left out: {error}", err=True)
            continue
        if answers.unread:
            typer.echo(lines_in_words(answers.unread), err=True)
        if file.method in answers.scores:
            scores = answers.scores[file.method]
            later.append(LaterAnswers(own.task, scores.confidence, answers.correct))
            changes += run_changes(file, own.task, own.path)
    if not later:
        raise typer.BadParameter(
            f"{run} holds no answers with confidences of {file.method}.", param_hint="--run"
        )
    return later, changes


def _of_log(rule: ThresholdRule, log: Path) -> tuple[list[LaterAnswers], list[str]]:
    """Read the confidences that decided from a log, and how its proxies differ from the file.

    Raises:
        typer.BadParameter: the log cannot be read.
    """
    import numpy as np

    from slmroute_plugin.analysis.calibration.holds import POOLED, LaterAnswers
    from slmroute_plugin.analysis.calibration.setup_changes import start_changes

    read = read_log(log, "--log")
    decided = [each for each in read.requests if each.is_by_confidence]
    starts = {id(each.start): each.start for each in decided if each.start}
    changes = [change for start in starts.values() for change in start_changes(rule.file, start)]
    values = [each.confidence for each in decided]
    confidence = np.array([np.nan if value is None else value for value in values], np.float64)
    return [LaterAnswers(POOLED, confidence)], list(dict.fromkeys(changes))


def _say(checked: Checked, changes: list[str], console: Console) -> None:
    """Print the tests, and what has changed."""
    table = Table(
        "Task",
        "What",
        Column("Answers", justify="right"),
        Column("Then", justify="right"),
        Column("Now", justify="right"),
        Column("p", justify="right"),
        "",
    )
    for finding in checked.findings:
        if finding.superiority is None:
            then, now = (f"{value:.4f}" for value in (finding.before, finding.now))
        else:
            then = ""
            now = f"moved by {finding.now:.4f}, higher in {finding.superiority:.4f} of pairs"
        p_value = f"{finding.p_value:.2g}"
        row = (finding.task, finding.what, str(finding.rows), then, now, p_value)
        table.add_row(*row, "ALARM" if finding.is_alarm else "")
    if checked.findings:
        console.print(table)
    for task, why in checked.skipped.items():
        console.print(f"Not tested: {task}: {why}.")
    for change in changes:
        console.print(f"Changed: {change}.")
