"""The report: from a folder of results to tables, figures and a page."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.analysis.figures import draw_figures, draw_paper_figures
from slmroute_plugin.analysis.measures.distributions import distributions_table, insight_table
from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.report_record import (
    file_state,
    put_in_place,
    read_record,
    unfinished_report,
)
from slmroute_plugin.analysis.study.reading import newest_files, read_study
from slmroute_plugin.analysis.study.runs import Problem, Study
from slmroute_plugin.analysis.study.training import training_files
from slmroute_plugin.analysis.tables.envelope_rows import envelope_notes, envelope_tables
from slmroute_plugin.analysis.tables.files import write_table
from slmroute_plugin.analysis.tables.kept_tables import FOLDER, below, digest
from slmroute_plugin.analysis.tables.latex import latex_tables
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
from slmroute_plugin.analysis.tables.study_tables import compared, measured
from slmroute_plugin.analysis.tables.tables import Tables
from slmroute_plugin.analysis.tables.verdict_rows import verdict_lines
from slmroute_plugin.analysis.tables.verdicts import verdicts
from slmroute_plugin.analysis.workers import Workers, begun, workers
from slmroute_plugin.llm.model_price import PriceList
from slmroute_plugin.storage.atomic_write import check_writable

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ReportSettings:
    """The settings of a report.

    Attributes:
        options: the options that the figures depend on.
        llms: the models that count as LLMs too although their runs have confidences.
        jobs: the number of processes that work at the same time.
        figures: whether figures are drawn, and LaTeX tables written.
        page: whether the page is written.
        paper: whether the figures are those of the paper, not those of the report's own layout.
        prices: the prices that a user states, by model.
    """

    options: MeasureOptions = field(default_factory=MeasureOptions)
    llms: Collection[str] = ()
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    figures: bool = True
    page: bool = True
    paper: bool = False
    prices: PriceList = field(default_factory=dict)


class Report(NamedTuple):
    """A report that was made.

    Attributes:
        problems: the parts of the results that could not be used.
        notes: remarks for the reader.
        paths: the files by part: "tables", "figures", "latex", "page"; empty if there was
            nothing to report.
        is_old: whether nothing had changed, so that the last report was left as it is.
        verdicts: a line for each SLM and LLM on whether to route.
    """

    problems: Sequence[Problem]
    notes: Sequence[str]
    paths: Mapping[str, Sequence[Path]]
    is_old: bool = False
    verdicts: Sequence[str] = ()


def make_report(results: Path, out: Path, settings: ReportSettings, progress: Progress) -> Report:
    """Read results, measure them, and write everything below `out`.

    The folder holds the last report until the new one is complete. What belonged to the last one
    alone is then deleted: figures of models that are not there any more, for instance. If nothing
    has changed since, nothing is done.

    Args:
        results: a folder with one folder per model, as lm-eval writes them.
        out: the folder to write to.
        settings: the settings of the report.
        progress: called with the name of the work being done, how much of it is done, and of how
            much.

    Raises:
        UnknownName: `settings.llms` names a model that the folder does not hold.
        NotWritable: nothing can be written to `out`.
    """
    key = _key(results, _with_prices(settings))
    last = read_record(out)
    if last and last.stands(out, key):
        old = _below(out, last.files)
        return Report(last.problems, last.notes, old, is_old=True, verdicts=last.verdicts)
    for path in (out / "index.html", out / FOLDER / "report.json"):
        check_writable(path)
    settings = _with_prices(settings)
    # Each process takes a moment to start, and few files are not worth many.
    jobs = max(1, min(settings.jobs, len(newest_files(results)[0])))
    with workers(jobs) as pool:
        study = read_study(
            results, settings.llms, partial(progress, "Reading"), settings.prices, pool
        )
        if not study.settings:
            return Report(study.problems, study.notes, {})
        tables = _tables(study, settings, out, progress, pool)
    further = [*verdicts(tables.combined), *envelope_notes(study, tables.envelope)]
    study = replace(study, notes=[*study.notes, *further])
    with unfinished_report(out) as new:
        with workers(jobs) as pool:
            written = _written(tables, study, settings, new, progress, pool)
        files = {
            part: [path.relative_to(new).as_posix() for path in paths]
            for part, paths in written.paths.items()
        }
        notes = [*study.notes, *written.notes]
        said = verdict_lines(tables.verdicts)
        put_in_place(new, out, key, study.problems, notes, files, said)
    return Report(study.problems, notes, _below(out, files), verdicts=said)


def _with_prices(settings: ReportSettings) -> ReportSettings:
    """Let the figures depend on the prices."""
    stated = {name: price.model_dump() for name, price in sorted(settings.prices.items())}
    text = json.dumps(stated) if stated else ""
    return replace(settings, options=replace(settings.options, prices=text))


def _key(results: Path, settings: ReportSettings) -> str:
    """Digest all that a report depends on: files, settings, version."""
    files, notes = newest_files(results)
    files += training_files(results)
    states = [[*map(str, file), *file_state(file.path)] for file in files]
    parts = [settings.figures, settings.page, settings.paper]
    chosen = [asdict(settings.options), sorted(settings.llms), *parts]
    return digest([version("slmroute"), str(results), chosen, states, notes])


def _below(out: Path, files: Mapping[str, Sequence[str]]) -> dict[str, list[Path]]:
    """Turn the names of files by part into paths below `out`."""
    return {part: [out / name for name in names] for part, names in files.items()}


def _tables(
    study: Study, settings: ReportSettings, out: Path, progress: Progress, pool: Workers
) -> Tables:
    """Make all tables of a study."""
    given = (study.settings, settings.options, pool, out)
    by_setting = measured(*given, partial(progress, "Measuring"))
    # Each of these is one piece of work, which other processes do beside the comparing.
    best = begun(pool, envelope_tables, study, settings.options)
    distances = begun(pool, distributions_table, study)
    by_slm = compared(*given, partial(progress, "Comparing"))
    progress("Distances", 0, 1)
    distributions = distances()
    insight = insight_table(distributions, seed=settings.options.seed)
    progress("Distances", 1, 1)
    progress("Envelope", 0, 1)
    at_budgets = best()
    progress("Envelope", 1, 1)
    both = {
        name: below([getattr(by_setting, name), getattr(by_slm, name)])
        for name in ("calibration", "reliability")
    }
    return Tables(
        **{**by_setting._asdict(), **by_slm._asdict(), **both, **at_budgets._asdict()},
        distributions=distributions,
        insight=insight,
    )


class _Written(NamedTuple):
    """The files of a report by part, and what a reader should know of them."""

    paths: Mapping[str, Sequence[Path]]
    notes: Sequence[str]


def _written(
    tables: Tables,
    study: Study,
    settings: ReportSettings,
    folder: Path,
    progress: Progress,
    pool: Workers,
) -> _Written:
    """Write tables, figures and the page into a folder."""
    paths: dict[str, Sequence[Path]] = {"tables": list(_write_tables(tables, folder))}
    notes: Sequence[str] = ()
    unparsed = settings.options.unparsed
    parts = (settings.figures, settings.figures, settings.page)
    steps = iter(range(1, sum(parts) + 1))
    if sum(parts):
        progress("Drawing", 0, sum(parts))
    page = folder / "index.html"
    if settings.page:
        page_written = begun(pool, write_page, tables, study, page, unparsed)
    if settings.figures:
        given = (tables, folder / "figures", unparsed, pool)
        if settings.paper:
            paths["figures"], notes = draw_paper_figures(*given)
        else:
            paths["figures"] = draw_figures(*given)
        progress("Drawing", next(steps), sum(parts))
        paths["latex"] = latex_tables(tables, folder / "latex")
        progress("Drawing", next(steps), sum(parts))
    if settings.page:
        page_written()
        paths["page"] = [page]
        progress("Drawing", next(steps), sum(parts))
    return _Written(paths, notes)


def _write_tables(tables: Tables, out: Path) -> Iterator[Path]:
    """Write each table, the routing curves as Parquet and all others as CSV, and yield its path."""
    for name, frame in vars(tables).items():
        kind = "parquet" if name == "curves" else "csv"
        yield write_table(frame, out / f"{name}.{kind}")
