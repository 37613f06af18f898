"""Studies of methods whose confidence is the probability of being right, blurred."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun

Confidences = Mapping[str, NDArray[np.float64]]


def task_run(
    model: str, task: str, correct: NDArray[np.bool_], confidences: Confidences
) -> TaskRun:
    """Make a run with known questions."""
    n = len(correct)
    return TaskRun(
        model,
        task,
        np.arange(n),
        np.array([f"{row:04}" for row in range(n)], "S4"),
        correct,
        np.full(n, np.nan),
        {method: Scores(values, correct) for method, values in confidences.items()},
    )


def blurred_study(datasets: int, n: int, noise: Mapping[str, float], unknown: float = 0.0) -> Study:
    """Make a study of methods whose confidence is blurred by `noise`, and in part `unknown`."""
    draw = np.random.default_rng(5)
    settings = []
    for at in range(datasets):
        chance = draw.random(n)
        slm, llm = draw.random(n) < chance, draw.random(n) < 0.9
        confidences = {}
        for method, much in noise.items():
            confidences[method] = np.clip(chance + much * draw.normal(size=n), 0, 1)
            confidences[method][draw.random(n) < unknown] = np.nan
        setting = Setting(
            task_run("small", f"task{at}", slm, confidences),
            {"large": task_run("large", f"task{at}", llm, {})},
        )
        settings.append(setting)
    return Study(settings)
