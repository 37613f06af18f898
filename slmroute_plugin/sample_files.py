"""lm-eval's sample files: finding the newest of each task, reading and writing rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from slmroute_plugin.whole_files import written_whole

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+)\.jsonl")


class SampleFileError(ValueError):
    """A sample file that cannot be read; the text names file and line."""


def newest_sample_files(folder: Path) -> dict[str, Path]:
    """The newest sample file of each task in a model's folder of results, by task name."""
    newest: dict[str, tuple[str, Path]] = {}
    for path in folder.glob("samples_*.jsonl"):
        found = _NAME.fullmatch(path.name)
        if found and found["time"] >= newest.get(found["task"], ("",))[0]:
            newest[found["task"]] = (found["time"], path)
    return {task: path for task, (_, path) in sorted(newest.items())}


def read_samples(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a sample file.

    Raises:
        SampleFileError: a line that is no JSON object, as after a run that was cut off.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise SampleFileError(f"{path}, line {number}: {error}") from error
            if not isinstance(row, dict):
                raise SampleFileError(f"{path}, line {number}: not a JSON object")
            yield row


def write_samples(folder: Path, task: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a further sample file of a task, named as lm-eval does, so that it is the newest.

    The file appears in one step, when it is whole.
    """
    time = datetime.now().isoformat().replace(":", "-")
    path = folder / f"samples_{task}_{time}.jsonl"
    with written_whole(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path
