"""The sample files of lm-eval: finding the newest of each task, reading and writing rows."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from slmroute_plugin.storage.atomic_write import written_whole

# A time that falls on a whole second has no fraction.
_NAME = re.compile(
    r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{1,6})?)"
    r"\.jsonl(?:\.gz)?"
)


# The filter under which rows score the SLM's own answers, and a plain run's.
SLM_FILTER = "slm"
# How the names of our tasks begin, and how those end that probes are trained on.
TASK_PREFIX = "slmroute_"
TRAINING_SUFFIX = "_train"
# The column that says whether the SLM answered, where questions are routed before it does.
ANSWERED = "answered"


_NAMED = 3


class SampleFileError(ValueError):
    """An error for a sample file that cannot be read; its text names the file and the line."""


class UnreadLine(NamedTuple):
    """A line of a sample file that holds no row, or more than one.

    Attributes:
        path: the sample file.
        number: of the line, from 1 on.
        fault: what is wrong with it.
        content: what stands in it.
    """

    path: Path
    number: int
    fault: str
    content: bytes

    @property
    def rows(self) -> int:
        """The number of rows that the line may have cost: none if it is empty."""
        # Inside a text, the quotes would be escaped.
        return max(1, self.content.count(b'"doc_id"')) if self.content.strip() else 0

    def __str__(self) -> str:
        """Return file, line and fault."""
        return f"{self.path}, line {self.number}: {self.fault}"


Unread = Callable[[UnreadLine], None]
"""A function that is told of each line that holds no row."""


class NumberedRow(NamedTuple):
    """A row of a sample file, and the number of its line, from 1 on."""

    line: int
    row: dict[str, Any]


class Run(NamedTuple):
    """A run of lm-eval on a task.

    Attributes:
        task: the name of the task.
        results: lm-eval's files of results beside the samples, which may be the run's, the latest
            first. Samples that were written anew, with further scores, are later than their run's.
    """

    task: str
    results: Sequence[Path]


class _Timed(NamedTuple):
    time: str
    path: Path


def newest_sample_files(folder: Path) -> dict[str, Path]:
    """Return the newest sample file of each task in a model's folder of results, by task name."""
    return {task: paths[-1] for task, paths in sample_files(folder).items()}


def sample_files(folder: Path) -> dict[str, list[Path]]:
    """Return the sample files of each task in a model's folder of results, oldest first."""
    return {task: [run.path for run in runs] for task, runs in sorted(_timed(folder).items())}


def run_of(path: Path) -> Run | None:
    """Return the run that a sample file's answers are of; None if lm-eval names no file so."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    own = f"results_{match['time']}.json"
    there = [other for other in path.parent.glob("results_*.json") if other.name <= own]
    return Run(match["task"], sorted(there, reverse=True))


def is_unanswered(row: Mapping[str, Any]) -> bool:
    """Tell whether a row's question was routed before the SLM answered it."""
    return row.get("filter") == SLM_FILTER and row.get(ANSWERED) == 0


def routes_before(path: Path) -> bool:
    """Tell whether a sample file's questions were routed before the SLM answered them.

    Whether the SLM would have been right is then not known of all of them.

    Raises:
        SampleFileError: If the file cannot be opened.
    """
    rows = (row for row in read_samples(path, lambda _: None) if row.get("filter") == SLM_FILTER)
    return ANSWERED in next(rows, {})


def read_samples(path: Path, unread: Unread | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a sample file, in its order. It may be packed by gzip (`.jsonl.gz`).

    A line is to hold exactly one JSON object. Any other line (cut off, empty, two rows in one)
    costs what stands in it and no more, provided that somebody is told.

    Args:
        path: The sample file.
        unread: Is told of each line that holds no row. Without it, such a line is an error.

    Raises:
        SampleFileError: If the file cannot be opened, or a line holds no row and `unread` is None.
    """
    for line in numbered_samples(path, unread):
        yield line.row


def numbered_samples(path: Path, unread: Unread | None = None) -> Iterator[NumberedRow]:
    """Yield the rows of a sample file with their line numbers; see `read_samples`."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                row, fault = _row_in(line)
                if row is not None:
                    yield NumberedRow(number, row)
                    continue
                damage = UnreadLine(path, number, fault, line.rstrip(b"\n"))
                if unread is None:
                    raise SampleFileError(str(damage))
                unread(damage)
    except OSError as error:
        raise SampleFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise SampleFileError(f"{path} is damaged, or was cut off: {error}") from error


def lines_in_words(unread: Sequence[UnreadLine]) -> str:
    """Return one text on the lines of a file that hold no row, which names the first of them.

    >>> lines_in_words([UnreadLine(Path("f"), 2, "the line is empty", b"")])
    'f, line 2: the line is empty. Left out: 1 line'
    """
    named = "; ".join(map(str, unread[:_NAMED])) + ("; …" if len(unread) > _NAMED else "")
    return f"{named}. Left out: {len(unread)} line{'s' * (len(unread) > 1)}"


def rows_lost(unread: Iterable[UnreadLine]) -> int:
    """Return how many rows the lines may have cost at most."""
    return sum(line.rows for line in unread)


def prompt_of(row: Mapping[str, Any]) -> str:
    """Return the prompt in a row of samples, or "" if the row does not hold its prompt."""
    try:
        prompt = innermost(row["arguments"]["gen_args_0"]["arg_0"])
    except (KeyError, TypeError):
        return ""
    return prompt if isinstance(prompt, str) else ""


def innermost(value: Any) -> Any:
    """Return the first value within lists of lists, as lm-eval writes replies."""
    while isinstance(value, list) and value:
        value = value[0]
    return value


def reply_of(row: Mapping[str, Any]) -> str:
    """Return the model's reply in a row of samples.

    A row that does not hold the reply may hold the final answer extracted from it. That answer
    is returned instead; "" if the row holds neither.
    """
    for column in ("filtered_resps", "resps", "answer"):
        text = innermost(row.get(column))
        if text and isinstance(text, str):
            return text
    return ""


def write_samples(
    folder: Path,
    task: str,
    rows: Iterable[Mapping[str, Any]],
    unread: Sequence[UnreadLine] = (),
) -> Path:
    """Write a further sample file of a task, named as lm-eval does, so that it is the newest.

    The file appears in one step, when it is whole.

    Args:
        folder: The model's folder of results.
        task: The name of the task.
        rows: The rows to write.
        unread: The damaged lines of the file that the rows are from. They are copied behind the
            rows, so that nothing is lost and every reader of the new file is told of them.

    Raises:
        OSError: If the file cannot be written.
    """
    time = datetime.now()
    if earlier := _timed(folder).get(task):
        # The clock of the machine that wrote the earlier file may be ahead.
        time = max(time, _parsed(earlier[-1].time) + timedelta(microseconds=1))
    written = time.isoformat(timespec="microseconds").replace(":", "-")
    path = folder / f"samples_{task}_{written}.jsonl"
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        for line in unread:
            if line.content.strip():
                file.write(line.content + b"\n")
    return path


def _row_in(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """Return the row in a line, or why there is none."""
    if not line.strip():
        return None, "the line is empty"
    try:
        row = from_json(line.removeprefix(BOM_UTF8))
    except ValueError as error:
        return None, f"not one JSON object ({str(error).replace(' at line 1', ',')})"
    return (row, "") if isinstance(row, dict) else (None, "not a JSON object")


def _timed(folder: Path) -> dict[str, list[_Timed]]:
    runs: dict[str, list[_Timed]] = {}
    for path in folder.glob("samples_*.jsonl*"):
        if match := _NAME.fullmatch(path.name):
            runs.setdefault(match["task"], []).append(_Timed(match["time"], path))
    return {task: sorted(timed) for task, timed in runs.items()}


def _parsed(time: str) -> datetime:
    return datetime.strptime(time, "%Y-%m-%dT%H-%M-%S.%f" if "." in time else "%Y-%m-%dT%H-%M-%S")
