"""Figures of an earlier report, used again where nothing that they depend on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from slmroute_plugin.analysis.study.runs import Setting, TaskRun
from slmroute_plugin.analysis.tables.setting_tables import HowToMeasure
from slmroute_plugin.storage.atomic_write import written_whole

FOLDER = ".figures"

Part = TypeVar("Part")
Frames = TypeVar("Frames", bound=tuple[pd.DataFrame, ...])


def figures_key(settings: Sequence[Setting], how: HowToMeasure) -> str:
    """What the figures of settings depend on, as SHA-256: files, options, version."""
    runs = [[setting.slm, *setting.llms.values()] for setting in settings]
    identities = [[_identity(run) for run in each] for each in runs]
    return digest([version("slmroute"), asdict(how), identities])


def digest(about: object) -> str:
    """SHA-256 of what can be written as JSON."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def kept_or_new(
    parts: Mapping[str, Part],
    work: Callable[[Part], Frames],
    size: Callable[[Part], int],
    kind: type[Frames],
    folder: Path,
    jobs: int,
    done: Callable[[int, int], None],
) -> list[Frames]:
    """The figures of every part: those that are kept, and the others in several processes.

    What is kept of parts that are not there any more is deleted.

    Args:
        parts: by the key of what their figures depend on.
        work: makes the figures of one part; is sent to another process.
        size: how long that takes, in proportion.
        kind: named tuple of frames that `work` returns.
        folder: where figures are kept.
        jobs: processes at the same time.
        done: called with the number of parts that are done, and of all.
    """
    found: dict[str, Frames] = {}
    for key in parts:
        kept = _load(folder, key, kind)
        if kept is not None:
            found[key] = kept
            done(len(found), len(parts))
    # The largest first, so that no process is left alone with it at the end.
    new = sorted((key for key in parts if key not in found), key=lambda key: -size(parts[key]))
    for key, figures in _made({key: parts[key] for key in new}, work, jobs):
        _keep(folder, key, figures)
        found[key] = figures
        done(len(found), len(parts))
    for path in folder.glob("*.feather"):
        if path.name.partition(".")[0] not in parts:
            path.unlink(missing_ok=True)
    return [found[key] for key in parts]


def below(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; columns and types are those of the frames with rows, if any has."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _made(
    parts: Mapping[str, Part], work: Callable[[Part], Frames], jobs: int
) -> Iterator[tuple[str, Frames]]:
    if jobs == 1 or len(parts) < 2:
        for key, part in parts.items():
            yield key, work(part)
        return
    with ProcessPoolExecutor(min(jobs, len(parts))) as pool:
        running = {pool.submit(work, part): key for key, part in parts.items()}
        for done in as_completed(running):
            yield running.pop(done), done.result()


def _load(folder: Path, key: str, kind: type[Frames]) -> Frames | None:
    """None if there are none that can be read."""
    named: Any = kind
    try:
        frames = [pd.read_feather(_path(folder, key, name)) for name in named._fields]
    except (OSError, pa.ArrowInvalid):
        return None
    return kind(*frames)


def _keep(folder: Path, key: str, figures: tuple[pd.DataFrame, ...]) -> None:
    named: Any = figures
    for name, frame in named._asdict().items():
        with written_whole(_path(folder, key, name)) as unfinished:
            frame.to_feather(unfinished)


def _path(folder: Path, key: str, name: str) -> Path:
    return folder / f"{key}.{name}.feather"


def _identity(run: TaskRun) -> list[object]:
    about = run.path.stat()
    return [run.model, run.task, str(run.path.resolve()), about.st_size, about.st_mtime_ns]
