"""From a folder of results to tables, figures and a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.analysis.comparison import comparison_table, ranks_table
from slmroute_plugin.analysis.distributions import distributions_table, insight_table
from slmroute_plugin.analysis.figures import draw_figures
from slmroute_plugin.analysis.generalisation import generalisation_table
from slmroute_plugin.analysis.latex import latex_tables
from slmroute_plugin.analysis.measuring import measured
from slmroute_plugin.analysis.page import write_page
from slmroute_plugin.analysis.reading import read_study
from slmroute_plugin.analysis.runs import Study
from slmroute_plugin.analysis.setting_tables import HowToMeasure
from slmroute_plugin.analysis.table_files import write_table
from slmroute_plugin.analysis.tables import Tables

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ReportSettings:
    """What a report is made of.

    Attributes:
        how: what its figures depend on.
        llms: models to take as LLMs too although their runs have confidences.
        jobs: processes at the same time.
        figures: whether figures are drawn, and LaTeX tables written.
        page: whether the page is written.
    """

    how: HowToMeasure = field(default_factory=HowToMeasure)
    llms: Collection[str] = ()
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    figures: bool = True
    page: bool = True


class Report(NamedTuple):
    """What was written, and from what.

    Attributes:
        study: what the results hold, with what could not be used.
        paths: of the files, by part: "tables", "figures", "latex", "page".
    """

    study: Study
    paths: dict[str, list[Path]]


def make_report(results: Path, out: Path, settings: ReportSettings, progress: Progress) -> Report:
    """Read results, measure, and write everything below `out`.

    Args:
        results: a folder with one folder per model, as lm-eval writes them.
        out: where to; each file is replaced in one step.
        settings: what to make.
        progress: called with what is being done, how much of it is, and of how much.

    Raises:
        UnknownName: a model of `settings.llms` is not there.
    """
    study = read_study(results, settings.llms, lambda at, of: progress("Reading", at, of))
    if not study.settings:
        return Report(study, {})
    tables = _tables(study, settings, out, progress)
    paths = {"tables": list(_write_tables(tables, out))}
    parts = (settings.figures, settings.figures, settings.page)
    steps = iter(range(1, sum(parts) + 1))
    if settings.figures:
        paths["figures"] = draw_figures(tables, out / "figures")
        progress("Drawing", next(steps), sum(parts))
        paths["latex"] = latex_tables(tables, out / "latex")
        progress("Drawing", next(steps), sum(parts))
    if settings.page:
        paths["page"] = [out / "index.html"]
        write_page(tables, study, out / "index.html", settings.how.unparsed)
        progress("Drawing", next(steps), sum(parts))
    return Report(study, paths)


def _tables(study: Study, settings: ReportSettings, out: Path, progress: Progress) -> Tables:
    how = settings.how
    unparsed_routed = how.unparsed == "route"
    by_setting = measured(
        study.settings, how, settings.jobs, out, lambda at, of: progress("Measuring", at, of)
    )
    compared = 4
    progress("Comparing", 0, compared)
    distributions = distributions_table(study)
    insight = insight_table(distributions, seed=how.seed)
    progress("Comparing", 1, compared)
    generalisation = generalisation_table(study, unparsed_routed)
    progress("Comparing", 2, compared)
    comparison = comparison_table(study, unparsed_routed, how.resamples, how.seed)
    progress("Comparing", 3, compared)
    ranks = ranks_table(study)
    progress("Comparing", 4, compared)
    return Tables(
        *by_setting,
        distributions=distributions,
        insight=insight,
        generalisation=generalisation,
        comparison=comparison,
        ranks=ranks,
    )


def _write_tables(tables: Tables, out: Path) -> Iterator[Path]:
    for name, frame in vars(tables).items():
        kind = "parquet" if name == "curves" else "csv"
        yield write_table(frame, out / f"{name}.{kind}")
