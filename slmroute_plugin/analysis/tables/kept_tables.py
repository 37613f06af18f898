"""The tables of an earlier report, used again where nothing that they depend on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from slmroute_plugin.analysis.study.runs import Setting, TaskRun
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions
from slmroute_plugin.analysis.workers import Workers, done_by
from slmroute_plugin.storage.atomic_write import written_whole

FOLDER = ".figures"

Part = TypeVar("Part")
Frames = TypeVar("Frames", bound=tuple[pd.DataFrame, ...])


def figures_key(settings: Sequence[Setting], options: MeasureOptions) -> str:
    """Name all that the figures of settings depend on, as SHA-256: files, options, version."""
    runs = [
        [setting.slm, *setting.llms.values(), *([setting.training] if setting.training else [])]
        for setting in settings
    ]
    identities = [list(map(_identity, beside)) for beside in runs]
    return digest([version("slmroute"), asdict(options), identities])


def digest(about: object) -> str:
    """Compute the SHA-256 of a value that can be written as JSON."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def kept_or_new(
    parts: Mapping[str, Part],
    work: Callable[[Part], Frames],
    size: Callable[[Part], int],
    kind: type[Frames],
    folder: Path,
    pool: Workers,
    done: Callable[[int, int], None],
) -> list[Frames]:
    """Load the figures of the parts that are kept, and make the others in several processes.

    Kept figures of parts that are not there any more are deleted.

    Args:
        parts: the parts, by the key of all that their figures depend on.
        work: makes the figures of one part; it is sent to another process.
        size: returns how long that takes, in proportion.
        kind: the named tuple of frames that `work` returns.
        folder: the folder where figures are kept.
        pool: the processes that make figures.
        done: called with the number of parts that are done, and of all.

    Returns:
        The figures of every part, in the order of `parts`.
    """
    by_key: dict[str, Frames] = {}
    done(0, len(parts))
    for key in parts:
        kept = _load(folder, key, kind)
        if kept is not None:
            by_key[key] = kept
            done(len(by_key), len(parts))
    # The largest first, so that no process is left alone with it at the end.
    new = sorted((key for key in parts if key not in by_key), key=lambda key: -size(parts[key]))
    for key, figures in done_by(pool, work, {key: parts[key] for key in new}):
        _keep(folder, key, figures)
        by_key[key] = figures
        done(len(by_key), len(parts))
    for path in folder.glob("*.feather"):
        if path.name.partition(".")[0] not in parts:
            path.unlink(missing_ok=True)
    return [by_key[key] for key in parts]


def below(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put frames one below the other.

    Columns and types are those of the frames with rows, or of the first frame if none has rows.
    """
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _load(folder: Path, key: str, kind: type[Frames]) -> Frames | None:
    """Load the figures of a part; return None if a file is missing or cannot be read."""
    named: Any = kind
    try:
        frames = [pd.read_feather(_path(folder, key, name)) for name in named._fields]
    except (OSError, pa.ArrowInvalid):
        return None
    return kind(*frames)


def _keep(folder: Path, key: str, figures: tuple[pd.DataFrame, ...]) -> None:
    """Keep the figures of a part on disk, in a file for each frame."""
    named: Any = figures
    for name, frame in named._asdict().items():
        with written_whole(_path(folder, key, name)) as unfinished:
            frame.to_feather(unfinished)


def _path(folder: Path, key: str, name: str) -> Path:
    """Name the file that keeps a frame."""
    return folder / f"{key}.{name}.feather"


def _identity(run: TaskRun) -> list[object]:
    """Identify a run by its names, and by the path, size and time of its file."""
    state = run.path.stat()
    return [run.model, run.task, str(run.path.resolve()), state.st_size, state.st_mtime_ns]
