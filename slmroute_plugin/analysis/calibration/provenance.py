"""The provenance of a calibrated threshold: all that is needed to judge it later."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import numpy as np

from slmroute_plugin.analysis.calibration.goals import Goal
from slmroute_plugin.analysis.calibration.reference import reference
from slmroute_plugin.analysis.calibration.selection import Selection
from slmroute_plugin.analysis.calibration.thresholds import Calibrated, Share
from slmroute_plugin.storage.threshold_file import ThresholdFile

_PROCEDURES = {
    "ratio": "exact binomial test of a monotone risk at every threshold",
    "kept_accuracy": "Learn then Test: split fixed-sequence testing, exact binomial p-values",
}


def threshold_file(
    selection: Selection,
    goal: Goal,
    calibrated: Calibrated,
    seed: int,
    method_version: str | None = None,
) -> ThresholdFile:
    """Make the content of a threshold file, which live routing reads by `threshold_from`.

    Args:
        selection: The answers that the threshold was calibrated on.
        goal: The goal.
        calibrated: The threshold and its effects.
        seed: The seed of the calibration.
        method_version: The version of the method; None if it is not installed.
    """
    confidence = selection.answers.confidence
    provenance: dict[str, Any] = {
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "slmroute": version("slmroute"),
        "runs": [str(path) for path in selection.paths],
        "rows": len(confidence),
        "rows_without_confidence": int(np.isnan(confidence).sum()),
        "tasks": _by_task(selection, calibrated.threshold),
        "best_attainable": _number(calibrated.best),
        **reference(selection, calibrated.threshold, seed, method_version),
    }
    if selection.fitted_on:
        provenance["fitted_on"] = selection.fitted_on
    if calibrated.figures is not None:
        figures = calibrated.figures
        provenance["on_these_rows"] = {
            "ratio": _interval(figures.ratio),
            "kept_accuracy": _interval(figures.kept_accuracy),
            "accuracy": None if figures.accuracy is None else _interval(figures.accuracy),
            "cost_usd": figures.cost_usd,
            "total_usd": figures.total_usd,
        }
    if goal.guarantee is not None:
        provenance["guarantee"] = {
            "probability": goal.guarantee,
            "measure": goal.measure,
            "value": goal.value,
            "per_task": goal.per_task,
            "procedure": _PROCEDURES[goal.measure],
            "rows_tested": calibrated.tested_on,
            "seed": seed,
        }
    return ThresholdFile(
        threshold=calibrated.threshold,
        method=selection.method,
        slm=selection.slm,
        llm=selection.llm,
        goal=goal.words,
        provenance=provenance,
    )


def _by_task(selection: Selection, threshold: float | None) -> dict[str, Any]:
    """Count the rows of each task, and the share of them that the threshold routes."""
    by_task = {}
    for setting in selection.settings:
        confidence = setting.slm.scores[selection.method].confidence
        by_task[setting.slm.task] = {
            "rows": len(confidence),
            "ratio": None if threshold is None else float(1 - (confidence >= threshold).mean()),
        }
    return by_task


def _interval(share: Share) -> dict[str, float | None]:
    """Turn a share and its interval into JSON, with null for NaN."""
    return {name: _number(value) for name, value in share._asdict().items()}


def _number(value: float) -> float | None:
    """Turn a number into JSON, with null for NaN."""
    return None if np.isnan(value) else float(value)
