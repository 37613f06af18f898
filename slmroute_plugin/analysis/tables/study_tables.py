"""The figures of a study, made in several processes, and only where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from slmroute_plugin.analysis.measures.best_single import combined_table
from slmroute_plugin.analysis.measures.comparison import comparison_table
from slmroute_plugin.analysis.measures.generalisation import generalisation_table
from slmroute_plugin.analysis.measures.ranks import ranks_table
from slmroute_plugin.analysis.study.runs import Setting, Study, by_slm
from slmroute_plugin.analysis.tables.elsewhere_tables import elsewhere_tables
from slmroute_plugin.analysis.tables.kept_tables import FOLDER, below, figures_key, kept_or_new
from slmroute_plugin.analysis.tables.setting_tables import (
    MeasureOptions,
    SettingTables,
    setting_tables,
    without_rows,
)
from slmroute_plugin.analysis.tables.verdict_rows import verdict_table
from slmroute_plugin.analysis.workers import Workers

_BY_SLM = "slms"


class SlmTables(NamedTuple):
    """The tables that take all data sets of an SLM together; `Tables` describes the columns."""

    generalisation: pd.DataFrame
    comparison: pd.DataFrame
    ranks: pd.DataFrame
    combined: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    verdicts: pd.DataFrame


def measured(
    settings: Sequence[Setting],
    options: MeasureOptions,
    pool: Workers,
    out: Path,
    done: Callable[[int, int], None],
) -> SettingTables:
    """Measure all settings of a study, and put their tables one below the other.

    The figures that have not changed since the last report to the same folder are taken from there.

    Args:
        settings: the settings of the study, one or more.
        options: the options that the figures depend on.
        pool: the processes that measure.
        out: the report's folder.
        done: called with the number of settings that are measured, and of all.
    """
    parts = {figures_key([setting], options): setting for setting in settings}
    work = partial(setting_tables, options=options)
    tables = kept_or_new(parts, work, _rows, SettingTables, out / FOLDER, pool, done)
    return SettingTables(*map(below, zip(without_rows(), *tables, strict=True)))


def compared(
    settings: Sequence[Setting],
    options: MeasureOptions,
    pool: Workers,
    out: Path,
    done: Callable[[int, int], None],
) -> SlmTables:
    """Make the tables of each SLM of a study, and put them one below the other.

    The arguments are those of `measured`.
    """
    parts = {figures_key(of_slm, options): of_slm for of_slm in by_slm(settings).values()}
    work = partial(slm_tables, options=options)
    folder = out / FOLDER / _BY_SLM
    tables = kept_or_new(parts, work, _all_rows, SlmTables, folder, pool, done)
    return SlmTables(*map(below, zip(*tables, strict=True)))


def slm_tables(settings: Sequence[Setting], options: MeasureOptions) -> SlmTables:
    """Make the tables of one SLM, on all its data sets."""
    study = Study(settings)
    unparsed_routed = options.unparsed == "route"
    comparison = comparison_table(study, unparsed_routed, options.resamples, options.seed)
    return SlmTables(
        generalisation_table(study, unparsed_routed),
        comparison,
        ranks_table(study),
        combined_table(study, comparison, options.resamples, options.seed),
        *elsewhere_tables(settings, options),
        verdict_table(settings, options),
    )


def _rows(setting: Setting) -> int:
    """Count the rows of a setting."""
    return len(setting.slm.doc_id)


def _all_rows(settings: Sequence[Setting]) -> int:
    """Count the rows of several settings."""
    return sum(map(_rows, settings))
