"""The figures of all settings: in several processes, and only those that have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from slmroute_plugin.analysis.kept_figures import (
    FOLDER,
    forget_others,
    keep_figures,
    load_figures,
    setting_key,
)
from slmroute_plugin.analysis.runs import Setting
from slmroute_plugin.analysis.setting_tables import (
    HowToMeasure,
    SettingTables,
    setting_tables,
    without_rows,
)


class _Measured(NamedTuple):
    number: int
    figures: SettingTables
    is_new: bool


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
    folder = out / FOLDER
    keys = [setting_key(setting, how) for setting in settings]
    parts: dict[int, SettingTables] = {}
    for found in _figures(settings, keys, how, jobs, folder):
        parts[found.number] = found.figures
        if found.is_new:
            keep_figures(folder, keys[found.number], found.figures)
        done(len(parts), len(keys))
    forget_others(folder, set(keys))
    ordered = [parts[number] for number in range(len(keys))]
    return SettingTables(
        *(_below(list(each)) for each in zip(without_rows(), *ordered, strict=True))
    )


def _figures(
    every: Sequence[Setting], keys: Sequence[str], how: HowToMeasure, jobs: int, folder: Path
) -> Iterator[_Measured]:
    new: dict[int, Setting] = {}
    for number, (setting, key) in enumerate(zip(every, keys, strict=True)):
        kept = load_figures(folder, key)
        if kept is None:
            new[number] = setting
        else:
            yield _Measured(number, kept, False)
    if not new:
        return
    # The largest first, so that no process is left alone with it at the end.
    order = sorted(new, key=lambda number: -len(new[number].slm.doc_id))
    if jobs == 1 or len(new) == 1:
        for number in order:
            yield _Measured(number, setting_tables(new[number], how), True)
        return
    with ProcessPoolExecutor(min(jobs, len(new))) as pool:
        running = {pool.submit(setting_tables, new[n], how): n for n in order}
        for done in as_completed(running):
            yield _Measured(running.pop(done), done.result(), True)


def _below(frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
