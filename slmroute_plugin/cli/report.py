"""The command `slmroute report`: tables, figures and a page from a folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from slmroute_plugin.cli.bars import work_bars
from slmroute_plugin.cli.report_decisions import report_decisions
from slmroute_plugin.cli.report_options import (
    FiguresOption,
    JobsOption,
    LeastGainOption,
    LlmOption,
    OutOption,
    PageOption,
    PaperOption,
    PricesOption,
    ResamplesOption,
    ResultsFolder,
    SeedOption,
    Unparsed,
    UnparsedOption,
)

if TYPE_CHECKING:
    from slmroute_plugin.analysis.report import Report
    from slmroute_plugin.sweep.report_options import ReportOptions


def report(
    results: ResultsFolder = Path("results"),
    out: OutOption = Path("report"),
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    unparsed: UnparsedOption = Unparsed.leave_out,
    llm: LlmOption = None,
    jobs: JobsOption = None,
    figures: FiguresOption = True,
    page: PageOption = True,
    paper: PaperOption = False,
    prices: PricesOption = None,
    least_gain: LeastGainOption = 0.01,
) -> None:
    """Measure how well confidence agrees with correctness, and what routing by it is worth.

    Take the newest run of every model and task: runs with confidences are of small models, plain
    runs are of LLMs to route to. A run that cannot be used is named and left out, and the exit
    status is then 1. Runs that have not changed since the last report are not measured again.

    Example: slmroute report results

    Example: slmroute report results --out report --resamples 0 --no-figures

    Example: slmroute report results --paper

    Example: slmroute report results --prices prices.yaml

    Example: slmroute report decisions.jsonl
    """
    from slmroute_plugin.analysis.report import ReportSettings, make_report
    from slmroute_plugin.analysis.study.reading import UnknownName
    from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
    from slmroute_plugin.cli.prices import stated_prices

    if results.is_file():
        report_decisions(results, out, Console(markup=False, highlight=False))
        return
    if not results.is_dir():
        raise typer.BadParameter(
            f"there is no folder {results}: name the --output_path of your runs.",
            param_hint="RESULTS",
        )
    if paper and not figures:
        raise typer.BadParameter(
            "it draws figures, which --no-figures forbids: leave out either.",
            param_hint="--paper",
        )
    stated = _stated_by_a_sweep(results)
    settings = ReportSettings(
        MeasureOptions(resamples, seed, unparsed.value, least_gain=least_gain),
        tuple(stated.llms if llm is None else llm),
        figures=figures,
        page=page,
        paper=paper,
        prices=stated.prices if prices is None else stated_prices(prices),
        **({"jobs": jobs} if jobs else {}),
    )
    console = Console(markup=False, highlight=False)
    with work_bars(console) as progress:
        try:
            made = make_report(results, out, settings, _Bars(progress).show)
        except UnknownName as error:
            raise typer.BadParameter(str(error), param_hint="--llm") from None
    _sum_up(made, results, out, console)
    if made.problems or not made.paths:
        raise typer.Exit(1)


def _stated_by_a_sweep(results: Path) -> ReportOptions:
    """Read the options that a sweep states, of those models whose results are there."""
    from slmroute_plugin.sweep.report_options import ManifestError, report_options

    try:
        stated = report_options(results)
    except ManifestError as error:
        raise typer.BadParameter(str(error), param_hint="RESULTS") from None
    there = [name for name in stated.llms if (results / name).is_dir()]
    return stated.model_copy(update={"llms": there})


def _sum_up(made: Report, results: Path, out: Path, console: Console) -> None:
    """Print the notes, the problems, and the files of a report."""
    for note in made.notes:
        console.print(f"Note: {note}", soft_wrap=True)
    for problem in made.problems:
        typer.echo(f"{problem.where}: {problem.why}", err=True)
    if not made.paths:
        typer.echo(
            f"Nothing to report: {results} holds no samples with confidences. Run lm_eval with "
            "--tasks slmroute --log_samples --output_path … first.",
            err=True,
        )
        return
    if made.is_old:
        console.print("Nothing has changed since the last report.")
    for part, paths in made.paths.items():
        console.print(f"{part}: {len(paths)} in {out}", soft_wrap=True)
    for path in made.paths.get("page", []):
        console.print(f"Open {path.resolve().as_uri()}", soft_wrap=True)
    for line in made.verdicts:
        console.print(line, soft_wrap=True)


class _Bars:
    """The bars of several kinds of work, in the order in which they begin."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def show(self, work: str, done: int, total: int) -> None:
        """Move the bar of a kind of work, beginning it if need be."""
        if work not in self._bars:
            self._bars[work] = self._progress.add_task(work, total=total)
        self._progress.update(self._bars[work], completed=done, total=total)
