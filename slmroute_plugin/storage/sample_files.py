"""The sample files of lm-eval: finding the newest of each task, reading and writing rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from slmroute_plugin.storage.atomic_write import written_whole

# A time that falls on a whole second has no fraction.
_NAME = re.compile(
    r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{1,6})?)\.jsonl"
)


# The filter under which rows score the SLM's own answers, and a plain run's.
SLM_FILTER = "slm"
# How the names of our tasks begin, and how those end that probes are trained on.
TASK_PREFIX = "slmroute_"
TRAINING_SUFFIX = "_train"


class SampleFileError(ValueError):
    """An error for a sample file that cannot be read; its text names the file and the line."""


class _Timed(NamedTuple):
    time: str
    path: Path


def newest_sample_files(folder: Path) -> dict[str, Path]:
    """Return the newest sample file of each task in a model's folder of results, by task name."""
    return {task: paths[-1] for task, paths in sample_files(folder).items()}


def sample_files(folder: Path) -> dict[str, list[Path]]:
    """Return the sample files of each task in a model's folder of results, oldest first."""
    return {task: [run.path for run in runs] for task, runs in sorted(_timed(folder).items())}


def read_samples(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a sample file.

    Raises:
        SampleFileError: If a line is not a JSON object, as after a run that was cut off.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SampleFileError(f"{path}, line {number}: {error}") from error
            if not isinstance(row, dict):
                raise SampleFileError(f"{path}, line {number}: not a JSON object")
            yield row


def prompt_of(row: Mapping[str, Any]) -> str:
    """Return the prompt in a row of samples, or "" if the row does not hold its prompt."""
    try:
        prompt = row["arguments"]["gen_args_0"]["arg_0"]
    except (KeyError, TypeError):
        return ""
    while isinstance(prompt, list) and prompt:
        prompt = prompt[0]
    return prompt if isinstance(prompt, str) else ""


def reply_of(row: Mapping[str, Any]) -> str:
    """Return the model's reply in a row of samples.

    A row that does not hold the reply may hold the final answer extracted from it. That answer
    is returned instead; "" if the row holds neither.
    """
    for column in ("filtered_resps", "resps", "answer"):
        text = row.get(column)
        while isinstance(text, list) and text:
            text = text[0]
        if text and isinstance(text, str):
            return text
    return ""


def write_samples(folder: Path, task: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a further sample file of a task, named as lm-eval does, so that it is the newest.

    The file appears in one step, when it is whole.

    Raises:
        OSError: If the file cannot be written.
    """
    time = datetime.now()
    if earlier := _timed(folder).get(task):
        # The clock of the machine that wrote the earlier file may be ahead.
        time = max(time, _parsed(earlier[-1].time) + timedelta(microseconds=1))
    written = time.isoformat(timespec="microseconds").replace(":", "-")
    path = folder / f"samples_{task}_{written}.jsonl"
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def _timed(folder: Path) -> dict[str, list[_Timed]]:
    runs: dict[str, list[_Timed]] = {}
    for path in folder.glob("samples_*.jsonl"):
        if match := _NAME.fullmatch(path.name):
            runs.setdefault(match["task"], []).append(_Timed(match["time"], path))
    return {task: sorted(timed) for task, timed in runs.items()}


def _parsed(time: str) -> datetime:
    return datetime.strptime(time, "%Y-%m-%dT%H-%M-%S.%f" if "." in time else "%Y-%m-%dT%H-%M-%S")
