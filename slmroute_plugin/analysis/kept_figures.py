"""Figures of an earlier report, used again where nothing that they depend on has changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pyarrow as pa

from slmroute_plugin.analysis.runs import Setting, TaskRun
from slmroute_plugin.analysis.setting_tables import HowToMeasure, SettingTables
from slmroute_plugin.whole_files import written_whole

FOLDER = ".figures"


def setting_key(setting: Setting, how: HowToMeasure) -> str:
    """What the figures of a setting depend on, as SHA-256: files, settings, version."""
    runs = [setting.slm, *setting.llms.values()]
    about = [version("slmroute"), asdict(how), [_identity(run) for run in runs]]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def load_figures(folder: Path, key: str) -> SettingTables | None:
    """The figures that were kept under a key; None if there are none that can be read."""
    try:
        return SettingTables(
            *(pd.read_feather(_path(folder, key, part)) for part in SettingTables._fields)
        )
    except (OSError, pa.ArrowInvalid):
        return None


def keep_figures(folder: Path, key: str, figures: SettingTables) -> None:
    """Keep figures under a key."""
    for part, frame in figures._asdict().items():
        with written_whole(_path(folder, key, part)) as unfinished:
            frame.to_feather(unfinished)


def forget_others(folder: Path, keys: set[str]) -> None:
    """Delete what was kept under other keys: the files behind it have changed."""
    for path in folder.glob("*.feather"):
        if path.name.partition(".")[0] not in keys:
            path.unlink(missing_ok=True)


def _path(folder: Path, key: str, part: str) -> Path:
    return folder / f"{key}.{part}.feather"


def _identity(run: TaskRun) -> list[object]:
    about = run.path.stat()
    return [run.model, run.task, str(run.path.resolve()), about.st_size, about.st_mtime_ns]
