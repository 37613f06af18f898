"""The figures of a study: in several processes, and only those that have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from slmroute_plugin.analysis.measures.comparison import comparison_table, ranks_table
from slmroute_plugin.analysis.measures.generalisation import generalisation_table
from slmroute_plugin.analysis.study.runs import Setting, Study, by_slm
from slmroute_plugin.analysis.tables.kept_tables import FOLDER, below, figures_key, kept_or_new
from slmroute_plugin.analysis.tables.setting_tables import (
    HowToMeasure,
    SettingTables,
    setting_tables,
    without_rows,
)

_BY_SLM = "slms"


class SlmTables(NamedTuple):
    """Tables that take all data sets of an SLM together; see `Tables`."""

    generalisation: pd.DataFrame
    comparison: pd.DataFrame
    ranks: pd.DataFrame


def measured(
    settings: Sequence[Setting],
    how: HowToMeasure,
    jobs: int,
    out: Path,
    done: Callable[[int, int], None],
) -> SettingTables:
    """The tables of all settings of a study, one below the other.

    What has not changed since the last report to the same folder is taken from there.

    Args:
        settings: of the study, one or more.
        how: what the figures depend on.
        jobs: processes at the same time.
        out: the report's folder.
        done: called with the number of settings that are measured, and of all.
    """
    parts = {figures_key([setting], how): setting for setting in settings}
    work = partial(setting_tables, how=how)
    found = kept_or_new(parts, work, _rows, SettingTables, out / FOLDER, jobs, done)
    return SettingTables(*map(below, zip(without_rows(), *found, strict=True)))


def compared(
    settings: Sequence[Setting],
    how: HowToMeasure,
    jobs: int,
    out: Path,
    done: Callable[[int, int], None],
) -> SlmTables:
    """The tables of all SLMs of a study, one below the other; as `measured` otherwise."""
    parts = {figures_key(each, how): each for each in by_slm(settings).values()}
    work = partial(slm_tables, how=how)
    folder = out / FOLDER / _BY_SLM
    found = kept_or_new(parts, work, _all_rows, SlmTables, folder, jobs, done)
    return SlmTables(*map(below, zip(*found, strict=True)))


def slm_tables(settings: Sequence[Setting], how: HowToMeasure) -> SlmTables:
    """Of one SLM on all its data sets."""
    study = Study(settings)
    unparsed_routed = how.unparsed == "route"
    return SlmTables(
        generalisation_table(study, unparsed_routed),
        comparison_table(study, unparsed_routed, how.resamples, how.seed),
        ranks_table(study),
    )


def _rows(setting: Setting) -> int:
    return len(setting.slm.doc_id)


def _all_rows(settings: Sequence[Setting]) -> int:
    return sum(map(_rows, settings))
