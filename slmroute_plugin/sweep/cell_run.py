"""One cell, from its lm-eval config to files in the folder of results."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from os import environ
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from slmroute_plugin.include_path import include_path
from slmroute_plugin.llm.prices import estimated_tokens
from slmroute_plugin.storage.atomic_write import written_whole
from slmroute_plugin.storage.sample_files import SLM_FILTER, prompt_of, read_samples, reply_of
from slmroute_plugin.sweep.environment import hardware, versions
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.log_tail import last_lines
from slmroute_plugin.sweep.records import CellRecord, cell_folder

logger = logging.getLogger(__name__)

LOG = "log.txt"
_RUNS = "runs"
_POLL_S = 0.5
_LOCK_S = 60
# What is left of lm-eval's config when it does not say.
_LM_EVAL_SEEDS = (0, 1234, 1234, 1234)


@dataclass(frozen=True)
class Order:
    """A cell, and how it is to be run.

    Attributes:
        cell: what to run.
        results: the folder of results; the cell works in a folder of its own below it.
        launcher: what comes before `-m lm_eval`; the Python that runs it if empty.
        environment: variables to set.
        directory: folder to run in; None for the present one.
        retries: further attempts after one that was killed.
    """

    cell: Cell
    results: Path
    launcher: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    retries: int = 2

    @property
    def folder(self) -> Path:
        """Where the cell works."""
        return cell_folder(self.results, self.cell.name)

    @property
    def log(self) -> Path:
        """What lm-eval says."""
        return self.folder / LOG


@dataclass(frozen=True)
class _Outcome:
    """Of all attempts: the last exit status, what was published, and why it is a failure."""

    status: int | None = None
    attempts: int = 0
    files: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


def run_cell(order: Order, stopped: Callable[[], bool] = lambda: False) -> CellRecord:
    """Run a cell to its end, and put its files among the results.

    An attempt that was killed is made again, and goes on from the cell's journal. One that
    ended with an error is not: it would end so again.

    Args:
        order: what to run, and how.
        stopped: asked again and again; once it is true, the run is ended.

    Returns:
        How it ended. This never raises for what went wrong with the cell.
    """
    began = datetime.now().astimezone().isoformat(timespec="seconds")
    begun = time.monotonic()
    try:
        order.folder.mkdir(parents=True, exist_ok=True)
        # Another sweep, or a job of an array, may be at the same cell; what was killed a moment
        # ago may not be gone yet.
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
        seeds=_seeds(order.cell.config),
        tail=outcome.tail,
        log=order.log.relative_to(order.results).as_posix(),
        versions=versions(),
        hardware=hardware(),
    )


def _attempts(order: Order, stopped: Callable[[], bool]) -> _Outcome:
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
    runs = order.folder / _RUNS
    _clear(runs)
    config = order.folder / "config.yaml"
    with written_whole(config) as path:
        path.write_text(yaml.safe_dump(_config(order.cell, runs), sort_keys=False), "utf-8")
    attended = [sys.executable, "-m", "slmroute_plugin.sweep.tied_process"]
    launcher = order.launcher or (sys.executable,)
    command = [*attended, *launcher, "-m", "lm_eval", "--config", str(config.absolute())]
    with order.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            # Held open by this process, and by it alone: see `attended`.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=order.directory,
            env=environ | dict(order.environment),
            start_new_session=True,
        )
        try:
            return _waited_for(process, stopped)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def _waited_for(process: subprocess.Popen[bytes], stopped: Callable[[], bool]) -> int:
    while True:
        try:
            status = process.wait(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if stopped() and process.stdin is not None:
                process.stdin.close()
            continue
        # 128 + n is how a shell, and the process in between, tell of signal n.
        return 128 - status if status > 128 else status


def _was_killed(status: int | None) -> bool:
    return status is not None and status < 0


def _said_of(status: int | None) -> str:
    if status is None:
        return "It was stopped before it began."
    return f"It was killed by signal {-status}." if status < 0 else f"Exit status {status}."


def _clear(runs: Path) -> None:
    """Remove what an attempt before left unfinished, but for its journal and caches."""
    runs.mkdir(parents=True, exist_ok=True)
    for path in runs.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            shutil.rmtree(path)


def _config(cell: Cell, runs: Path) -> dict[str, Any]:
    """The lm-eval config of a cell, complete: `lm_eval --config` runs it by hand too."""
    where = str(runs.absolute())
    metadata = dict(cell.config.get("metadata") or {})
    ours = dict(metadata.get("slmroute") or {}) | {"results": where}
    return dict(cell.config) | {
        "include_path": cell.config.get("include_path") or str(include_path()),
        "log_samples": True,
        "output_path": where,
        "metadata": metadata | {"slmroute": ours},
    }


def _without_samples(cell: Cell, files: Sequence[str]) -> list[str]:
    names = [Path(name).name for name in files]
    return [t for t in cell.tasks if not any(n.startswith(f"samples_{t}_2") for n in names)]


def _seeds(config: Mapping[str, Any]) -> dict[str, object]:
    ours = (config.get("metadata") or {}).get("slmroute") or {}
    return {"lm_eval": config.get("seed", list(_LM_EVAL_SEEDS)), "slmroute": ours.get("seed", 0)}


@dataclass(frozen=True)
class _Size:
    questions: int = 0
    tokens: int = 0


def _size(results: Path, files: Sequence[str]) -> _Size:
    """Of what a cell asked and got: what the next estimate goes by."""
    questions = letters = 0
    for name in files:
        if not Path(name).name.startswith("samples_"):
            continue
        for row in read_samples(results / name):
            if row.get("filter") != SLM_FILTER:
                continue
            questions += 1
            letters += len(prompt_of(row)) + len(reply_of(row))
    return _Size(questions, estimated_tokens(letters))


def publish(runs: Path, results: Path) -> tuple[str, ...]:
    """Move what a finished run wrote, samples last: where they are, all is.

    Args:
        runs: what was lm-eval's output path.
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
    for folder in runs.iterdir():
        # The journal and the caches stay where they are.
        if folder.is_dir() and not folder.name.startswith("."):
            for path in folder.rglob("*"):
                if path.is_file():
                    yield path.relative_to(runs).as_posix()
