"""The steps after the cells: recorded LLMs, probes, scores, and the report."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.sample_files import newest_sample_files
from slmroute_plugin.sweep.grid.grid_file import Grid
from slmroute_plugin.sweep.log_tail import last_lines
from slmroute_plugin.sweep.records import FOLDER


@dataclass(frozen=True)
class Step:
    """A step that has ended.

    Attributes:
        name: the command, without `slmroute`.
        exit_status: 0 if all went well; 1 if the command named something that it could not use.
        seconds: the time that it took; 0 if it had been done before on the same answers.
        log: the path of its output, relative to the folder of results.
        tail: the last lines of its output if it did not go well.
    """

    name: str
    exit_status: int
    seconds: float
    log: str
    tail: tuple[str, ...] = ()


class Answered(NamedTuple):
    """The answers of a small model that are among the results.

    Attributes:
        files: the files that the cells put there.
        options: the options of its methods, by method and field.
    """

    files: Sequence[str]
    options: Mapping[str, Mapping[str, Any]] = {}


class GainOver(NamedTuple):
    """The LLM whose gain probes learn: its folder among the results, and its files there."""

    folder: str
    files: Sequence[str]


def copy_recorded(grid: Grid) -> None:
    """Copy recorded runs of LLMs to the results, where they are not there already."""
    for entry in grid.llms:
        if entry.replay is None:
            continue
        folder = grid.results / entry.replay.absolute().name
        if folder.resolve() == entry.replay.resolve():
            continue
        for path in newest_sample_files(entry.replay).values():
            if not (folder / path.name).exists():
                with written_whole(folder / path.name) as unfinished:
                    shutil.copy2(path, unfinished)


def steps_after(
    grid: Grid,
    slms: Mapping[str, Answered],
    gain_over: GainOver | None = None,
) -> Iterator[Step]:
    """Fit probes and score answers by them for each small model, and make the report.

    Probes are fitted with the options that the models ran with. Those that were fitted so on the
    same answers before are not fitted again.

    Args:
        grid: the grid whose cells have run.
        slms: the answers of each small model, by its folder of results.
        gain_over: the LLM whose gain probes learn; None if they learn whether answers are right.
    """
    if grid.training:
        for name, (files, options) in slms.items():
            folder = str(grid.results / name)
            read, learned = list(files), _as_arguments(options)
            # A model gains nothing over itself: its own probes learn whether it is right.
            if gain_over is not None and gain_over.folder != name:
                read += gain_over.files
                learned += ["--target", "gain", "--llm", str(grid.results / gain_over.folder)]
            state = hashlib.sha256("\n".join([*sorted(read), *learned]).encode()).hexdigest()
            fit = ["probes", "fit", folder, *learned]
            fitted = _step(grid.results, f"probes-fit.{name}", state, *fit)
            yield fitted
            # The probes of a fit that failed half way are not the last ones for these answers.
            last = state if fitted.exit_status == 0 else ""
            yield _step(grid.results, f"score.{name}", last, "score", folder)
    # The report itself knows whether anything has changed, and reads its options in the manifest.
    yield _step(grid.results, "report", "", "report", str(grid.results), "--out", str(grid.report))


def _as_arguments(options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write the options of methods as arguments of `slmroute probes fit`."""
    return [
        argument
        for method, fields in sorted(options.items())
        for field, value in sorted(fields.items())
        for argument in ("--option", f"{method}.{field}={json.dumps(value)}")
    ]


def _step(results: Path, name: str, state: str, *command: str) -> Step:
    """Run a command of slmroute, unless it has been done before in the same state.

    The command runs in a process of its own, so that its memory is given back, and a crash ends the
    command alone.
    """
    log, done_on = (results / FOLDER / f"{name}.{kind}" for kind in ("txt", "done"))
    where = log.relative_to(results).as_posix()
    if state and done_on.is_file() and done_on.read_text(encoding="utf-8") == state:
        return Step(" ".join(command), 0, 0.0, where)
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with log.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "slmroute_plugin", *command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if state and done.returncode == 0:
        with written_whole(done_on) as path:
            path.write_text(state, encoding="utf-8")
    seconds = round(time.monotonic() - begun, 1)
    tail = last_lines(log) if done.returncode else ()
    return Step(" ".join(command), done.returncode, seconds, where, tail)
