"""Saved runs as a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slmroute_plugin.analysis.study.reading import newest_files, read_run
from slmroute_plugin.storage.column_names import CONFIDENCE, CORRECT

if TYPE_CHECKING:
    import pandas as pd


def read_runs(results: Path | str) -> pd.DataFrame:
    """Return the newest samples of every model and task below a folder of results.

    Parameters
    ----------
    results : path
        The folder, which holds one folder per model, as lm-eval writes them.

    Returns
    -------
    DataFrame
        A row for each answer: `model`, `task` (without ``slmroute_``), `doc_id`, `acc` (1.0 if the
        answer is right), `cost_usd`, and ``confidence/<method>`` for every method of any run.
        Where a method has an answer of its own, ``acc/<method>`` says whether that is right.

    Raises
    ------
    SampleFileError
        If a file cannot be used; names it, and the line where possible.
    FileNotFoundError
        If there is no such folder.
    """
    import pandas as pd

    files, _ = newest_files(Path(results))
    frames = []
    for file in files:
        run = read_run(file.path, file.model, file.task)
        columns = {
            "model": run.model,
            "task": run.task,
            "doc_id": run.doc_id,
            "acc": run.correct.astype(float),
            "cost_usd": run.cost_usd,
        }
        for method, scores in run.scores.items():
            columns[f"{CONFIDENCE}{method}"] = scores.confidence
            if scores.correct is not run.correct:
                columns[f"{CORRECT}{method}"] = scores.correct.astype(float)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
