"""The confidences of a task's sample file as features that a trained method can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from slmroute_plugin.signals import Confidences
from slmroute_plugin.storage.column_names import CONFIDENCE, FITTED_ON
from slmroute_plugin.storage.hidden_states import HiddenStates
from slmroute_plugin.storage.questions import AskedQuestions
from slmroute_plugin.storage.sample_files import SLM_FILTER, read_samples


def untrained_methods(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the untrained methods that have a confidence in any row of samples, sorted.

    A trained method is not among them: its confidence in a row may stem from the row's own label,
    and so may whatever is fitted on it.
    """
    names: set[str] = set()
    trained: set[str] = set()
    for row in rows:
        if row.get("filter") != SLM_FILTER:
            continue
        for column, value in row.items():
            if column.startswith(FITTED_ON):
                trained.add(column.removeprefix(FITTED_ON))
            elif column.startswith(CONFIDENCE) and value is not None:
                names.add(column.removeprefix(CONFIDENCE))
    return sorted(names - trained)


def has_confidences(path: Path) -> bool:
    """Tell whether a sample file has confidences of untrained methods."""
    try:
        return any(untrained_methods([row]) for row in read_samples(path, lambda _: None))
    except ValueError:  # whoever reads the rows says so
        return False


def confidence_features(
    asked: AskedQuestions, rows: Iterable[Mapping[str, Any]], methods: Sequence[str], path: Path
) -> HiddenStates:
    """Collect the confidences of methods, in this order, for each question of a task.

    Args:
        asked: The questions of the task.
        rows: The rows of its samples.
        methods: The names of the methods.
        path: The sample file, for messages.

    Returns:
        [n, m], float32; NaN where there is no confidence.

    Raises:
        ValueError: A confidence is not a number in [0, 1].
    """
    import numpy as np

    features = np.full((len(asked.doc_id), len(methods)), np.nan, dtype=np.float32)
    at = {int(doc_id): index for index, doc_id in enumerate(asked.doc_id)}
    for row in rows:
        index = at.get(row.get("doc_id", -1))
        if row.get("filter") != SLM_FILTER or index is None:
            continue
        for place, method in enumerate(methods):
            value = row.get(f"{CONFIDENCE}{method}")
            if value is None:
                continue
            if not _is_confidence(value):
                raise ValueError(
                    f"{path}, doc_id {row['doc_id']}: `{CONFIDENCE}{method}` is {value!r}, it "
                    "must lie in [0, 1]. Run the task again."
                )
            features[index, place] = value
    signal = Confidences(tuple(methods))
    return HiddenStates(features, asked.doc_id, asked.prompt, asked.question, signal, asked.source)


def _is_confidence(value: object) -> bool:
    """Tell whether a value is a number in [0, 1]."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and 0 <= value <= 1  # type: ignore[operator,arg-type]
