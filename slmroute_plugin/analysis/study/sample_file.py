"""A sample file of a study, by the name of its model and the name that is shown for its task."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from slmroute_plugin.storage.sample_files import TASK_PREFIX


class SampleFile(NamedTuple):
    """The newest sample file of one model and task."""

    model: str
    task: str
    path: Path


def shown_name(task: str, names: Collection[str]) -> str:
    """Return a task's name without our prefix, and mark lm-eval's task of the same name.

    Args:
        task: the name of the task.
        names: the names of all tasks of the study.
    """
    if f"{TASK_PREFIX}{task}" in names:
        return f"{task} (lm-eval)"
    return task.removeprefix(TASK_PREFIX)
