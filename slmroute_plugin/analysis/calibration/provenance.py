"""A calibrated threshold as a file, with all that is needed to judge it later."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import numpy as np

from slmroute_plugin.analysis.calibration.goals import Calibrated, Goal, Share
from slmroute_plugin.analysis.calibration.selection import Selection
from slmroute_plugin.storage.threshold_file import ThresholdFile

_PROCEDURES = {
    "ratio": "exact binomial test of a monotone risk at every threshold",
    "kept_accuracy": "Learn then Test: split fixed-sequence testing, exact binomial p-values",
}


def threshold_file(selection: Selection, goal: Goal, found: Calibrated, seed: int) -> ThresholdFile:
    """The file's content; live routing reads it by `threshold_from`."""
    confidence = selection.answers.confidence
    provenance: dict[str, Any] = {
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "slmroute": version("slmroute"),
        "runs": [str(path) for path in selection.paths],
        "rows": len(confidence),
        "rows_without_confidence": int(np.isnan(confidence).sum()),
        "tasks": _by_task(selection, found.threshold),
        "best_attainable": _number(found.best),
    }
    if selection.fitted_on:
        provenance["fitted_on"] = selection.fitted_on
    if found.figures is not None:
        figures = found.figures
        provenance["on_these_rows"] = {
            "ratio": _interval(figures.ratio),
            "kept_accuracy": _interval(figures.kept_accuracy),
            "accuracy": None if figures.accuracy is None else _interval(figures.accuracy),
            "cost_usd": figures.cost_usd,
        }
    if goal.guarantee is not None:
        provenance["guarantee"] = {
            "probability": goal.guarantee,
            "procedure": _PROCEDURES[goal.measure],
            "rows_tested": found.tested_on,
            "seed": seed,
        }
    return ThresholdFile(
        threshold=found.threshold,
        method=selection.method,
        slm=selection.slm,
        llm=selection.llm,
        goal=goal.words,
        provenance=provenance,
    )


def _by_task(selection: Selection, threshold: float | None) -> dict[str, Any]:
    by_task = {}
    for each in selection.settings:
        confidence = each.slm.scores[selection.method].confidence
        by_task[each.slm.task] = {
            "rows": len(confidence),
            "ratio": None if threshold is None else float(1 - (confidence >= threshold).mean()),
        }
    return by_task


def _interval(share: Share) -> dict[str, float | None]:
    return {name: _number(value) for name, value in share._asdict().items()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
