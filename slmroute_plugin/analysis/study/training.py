"""The training rows of a study that have confidences."""

from __future__ import annotations

from pathlib import Path

from slmroute_plugin.analysis.study.sample_file import SampleFile, shown_name
from slmroute_plugin.analysis.study.stock_rows import answering_lines
from slmroute_plugin.storage.column_names import CONFIDENCE
from slmroute_plugin.storage.sample_files import TRAINING_SUFFIX, SampleFileError, sample_files


def training_files(results: Path) -> list[SampleFile]:
    """Find the newest sample file of each model's training task whose rows have confidences.

    A training task is called like the task of its data set, with `_train` behind it; the files are
    given under the name of the latter.
    """
    folders = sorted(path for path in results.iterdir() if path.is_dir())
    tasks = {folder: sample_files(folder) for folder in folders}
    names = {task.removesuffix(TRAINING_SUFFIX) for of_model in tasks.values() for task in of_model}
    return [
        SampleFile(folder.name, shown_name(task.removesuffix(TRAINING_SUFFIX), names), paths[-1])
        for folder, of_model in tasks.items()
        for task, paths in of_model.items()
        if task.endswith(TRAINING_SUFFIX) and _has_confidences(paths[-1])
    ]


def _has_confidences(path: Path) -> bool:
    """Tell whether the first row of an answer has confidences."""
    try:
        first = next(answering_lines(path, lambda _: None), None)
    except SampleFileError:  # whoever reads all rows says so
        return True
    return first is not None and any(name.startswith(CONFIDENCE) for name in first.row)
