"""The run of one cell, from its lm-eval config to files in the folder of results."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from slmroute_plugin.include_path import include_path
from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.sample_files import (
    SLM_FILTER,
    prompt_of,
    read_samples,
    reply_of,
    run_of,
)
from slmroute_plugin.sweep.environment import git_commit, hardware, versions
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.grid.model_engine import with_hidden_states
from slmroute_plugin.sweep.log_tail import last_lines
from slmroute_plugin.sweep.records import CellRecord, cell_folder
from slmroute_plugin.sweep.tied_process import run_tied

logger = logging.getLogger(__name__)

LOG = "log.txt"
_RUNS = "runs"
_LOCK_S = 60
# lm-eval's own defaults, for a config that names no seed.
_LM_EVAL_SEEDS = (0, 1234, 1234, 1234)


@dataclass(frozen=True)
class Order:
    """A cell, and how it is to be run.

    Attributes:
        cell: the cell to run.
        results: the folder of results; the cell works in a folder of its own below it.
        launcher: the command before `-m lm_eval`; if empty, the Python of this process.
        environment: the environment variables to set.
        directory: the folder to run in; None for the present one.
        retries: the number of further attempts after one that was killed.
    """

    cell: Cell
    results: Path
    launcher: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    retries: int = 2

    @property
    def folder(self) -> Path:
        """The folder where the cell works."""
        return cell_folder(self.results, self.cell.name)

    @property
    def log(self) -> Path:
        """The path of lm-eval's output."""
        return self.folder / LOG


@dataclass(frozen=True)
class _Outcome:
    """The outcome of all attempts.

    Attributes:
        status: the last exit status; None if there was no attempt.
        attempts: the number of attempts.
        files: the files that were published.
        tail: the reason for a failure, and the last lines of the log; empty if all went well.
    """

    status: int | None = None
    attempts: int = 0
    files: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


def run_cell(order: Order, stopped: Callable[[], bool] = lambda: False) -> CellRecord:
    """Run a cell to its end, and put its files among the results.

    An attempt that was killed is made again, and goes on from the cell's journal. An attempt that
    ended with an error is not made again: it would end the same way.

    Args:
        order: the cell, and how to run it.
        stopped: asked again and again; once it returns true, the run is ended.

    Returns:
        A record of how it ended. Whatever goes wrong with the cell, no error is raised.
    """
    began = datetime.now().astimezone().isoformat(timespec="seconds")
    begun = time.monotonic()
    commit = None
    try:
        commit = git_commit(order.directory)  # now: a checkout may be changed while the cell runs
        order.folder.mkdir(parents=True, exist_ok=True)
        # Another sweep, or a job of an array, may be at the same cell; a process that was killed a
        # moment ago may not be gone yet.
        with FileLock(order.folder / ".lock", timeout=_LOCK_S):
            outcome = _attempts(order, stopped)
        size = _size(order.results, outcome.files)
    except Timeout:
        why = f"{order.folder} is in use: another sweep is running this cell."
        outcome, size = _Outcome(tail=(why,)), _Size()
    except Exception as error:  # a cell that fails must not end the others, whatever it was
        logger.exception("%s could not be run", order.cell.name)
        outcome, size = _Outcome(tail=(f"{type(error).__name__}: {error}",)), _Size()
    return CellRecord(
        cell=order.cell.name,
        digest=order.cell.digest,
        state="failed" if outcome.tail else "done",
        exit_status=outcome.status,
        attempts=outcome.attempts,
        began=began,
        seconds=round(time.monotonic() - begun, 1),
        questions=size.questions,
        tokens=size.tokens,
        files=outcome.files,
        seeds=_seeds(order.cell),
        tail=outcome.tail,
        log=order.log.relative_to(order.results).as_posix(),
        git_commit=commit,
        versions=versions(),
        hardware=hardware(),
    )


def _attempts(order: Order, stopped: Callable[[], bool]) -> _Outcome:
    """Attempt a cell until it ends by itself or is killed too often, and publish its files."""
    attempts, status = 0, None
    order.log.write_bytes(b"")
    while attempts <= order.retries and (attempts == 0 or _was_killed(status)) and not stopped():
        attempts += 1
        status = _attempt(order, stopped)
    if status != 0:
        return _Outcome(status, attempts, tail=(_said_of(status), *last_lines(order.log)))
    files = publish(order.folder / _RUNS, order.results)
    if missing := _without_samples(order.cell, files):
        why = f"lm-eval ended well, but left no samples of {', '.join(missing)}."
        return _Outcome(status, attempts, tail=(why, *last_lines(order.log)))
    return _Outcome(status, attempts, files)


def _attempt(order: Order, stopped: Callable[[], bool]) -> int:
    """Run lm-eval once, and return its exit status; minus the signal if it was killed."""
    runs = order.folder / _RUNS
    _clear(runs)
    config = order.folder / "config.yaml"
    with written_whole(config) as path:
        path.write_text(yaml.safe_dump(_config(order.cell, runs), sort_keys=False), "utf-8")
    launcher = order.launcher or (sys.executable,)
    command = [*launcher, "-m", "lm_eval", "--config", str(config.absolute())]
    return run_tied(command, order.log, order.directory, order.environment, stopped)


def _was_killed(status: int | None) -> bool:
    """Tell whether an exit status is that of a process that was killed."""
    return status is not None and status < 0


def _said_of(status: int | None) -> str:
    """Describe an exit status."""
    if status is None:
        return "It was stopped before it began."
    return f"It was killed by signal {-status}." if status < 0 else f"Exit status {status}."


def _clear(runs: Path) -> None:
    """Remove what an earlier attempt left unfinished, but for its journal and caches."""
    runs.mkdir(parents=True, exist_ok=True)
    for path in runs.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            shutil.rmtree(path)


def _config(cell: Cell, runs: Path) -> dict[str, Any]:
    """Make the complete lm-eval config of a cell, which `lm_eval --config` runs by hand too."""
    where = str(runs.absolute())
    metadata = dict(cell.config.get("metadata") or {})
    ours = dict(cell.settings) | {"results": where}
    given = dict(cell.config)
    # vLLM for CPUs draws no samples beside hidden states: there, probes' training rows alone have
    # them.
    reads_states = cell.role == "slm" and (cell.needs.gpus > 0 or cell.kind == "training")
    if cell.is_on_vllm and reads_states:
        given = with_hidden_states(given)
    return given | {
        "include_path": cell.config.get("include_path") or str(include_path()),
        "log_samples": True,
        "output_path": where,
        "metadata": metadata | {"slmroute": ours},
    }


def _without_samples(cell: Cell, files: Sequence[str]) -> list[str]:
    """List the tasks of a cell that have no samples among the files."""
    there = {run.task for name in files if (run := run_of(Path(name))) is not None}
    return [task for task in cell.tasks if task not in there]


def _seeds(cell: Cell) -> dict[str, object]:
    """List the seeds of a cell: lm-eval's, and ours."""
    lm_eval = cell.config.get("seed", list(_LM_EVAL_SEEDS))
    return {"lm_eval": lm_eval, "slmroute": cell.settings.get("seed", 0)}


@dataclass(frozen=True)
class _Size:
    """The number of questions that a cell asked, and the tokens of prompts and answers."""

    questions: int = 0
    tokens: int = 0


def _size(results: Path, files: Sequence[str]) -> _Size:
    """Count the questions and tokens of a cell's samples, which the next estimate goes by."""
    questions = letters = 0
    for name in files:
        if not Path(name).name.startswith("samples_"):
            continue
        for row in read_samples(results / name, partial(logger.warning, "%s")):
            if row.get("filter") != SLM_FILTER:
                continue
            questions += 1
            letters += len(prompt_of(row)) + len(reply_of(row))
    return _Size(questions, estimated_tokens(letters))


def publish(runs: Path, results: Path) -> tuple[str, ...]:
    """Move what a finished run wrote, samples last: once they are there, all is there.

    Args:
        runs: the output path that lm-eval was given.
        results: the folder of results.

    Returns:
        The files, relative to the folder of results.
    """
    names = sorted(_files(runs), key=lambda name: (Path(name).name.startswith("samples_"), name))
    for name in names:
        target = results / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (runs / name).replace(target)
    return tuple(names)


def _files(runs: Path) -> Iterator[str]:
    """Yield the files of a finished run, relative to its folder; its journal and caches stay."""
    for folder in runs.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            for path in folder.rglob("*"):
                if path.is_file():
                    yield path.relative_to(runs).as_posix()
