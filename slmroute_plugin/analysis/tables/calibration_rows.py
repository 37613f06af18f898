"""The rows of the tables `calibration` and `reliability` for one method on one data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.calibration import (
    Calibration,
    calibration,
    intervals,
    reliability,
    resampled_calibration,
)
from slmroute_plugin.analysis.measures.mapped import Mapped
from slmroute_plugin.analysis.study.runs import Scores

Floats = NDArray[np.float64]

AS_IS = "none"
"""What `reliability` has for `map_from` where confidences are taken as they are."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A method's answers with a confidence, and how often each is in each resample.

    Attributes:
        scores: the confidences of the method.
        counts: blocks of [n, resamples] over all answers; none for no intervals.
    """

    scores: Scores
    counts: Sequence[NDArray[np.float32]]

    def calibration_row(self, mapped: Mapped) -> dict[str, Any]:
        """Make the columns of `Tables.calibration` after the names."""
        known = self.scores.known
        before = self._errors(self.scores.confidence, "")
        after = self._errors(mapped.probability, "_after")
        if not mapped.kind:
            after = dict.fromkeys(after, np.nan)
        in_order = {
            key: {**before, **after}[key]
            for name in Calibration._fields
            for key in (*_names(name), *_names(f"{name}_after"))
        }
        return {
            "fitted_on": self.scores.fitted_on,
            "n": int(known.sum()),
            "coverage": float(known.mean()),
            "map_from": mapped.map_from,
            "map": mapped.kind,
            "rows_fitted": mapped.rows,
            **in_order,
        }

    def diagram(self, probability: Floats, map_from: str) -> dict[str, Any]:
        """Make the columns of `Tables.reliability` after the names, without empty bins."""
        known = self.scores.known
        drawn = reliability(probability[known], self.scores.correct[known])
        filled = drawn.n > 0
        return {
            "map_from": map_from,
            "bin": np.flatnonzero(filled),
            "n": drawn.n[filled],
            "confidence": drawn.confidence[filled],
            "accuracy": drawn.accuracy[filled],
            "accuracy_low": drawn.low[filled],
            "accuracy_high": drawn.high[filled],
        }

    def diagrams(self, mapped: Mapped, as_is: bool) -> Iterator[dict[str, Any]]:
        """Yield the diagrams of confidences as they are, if asked for, and as they were mapped."""
        if as_is:
            yield self.diagram(self.scores.confidence, AS_IS)
        if mapped.kind:
            yield self.diagram(mapped.probability, mapped.map_from)

    def _errors(self, probability: Floats, suffix: str) -> dict[str, float]:
        """Compute the errors of probabilities, each with its interval."""
        known = self.scores.known
        given, correct = probability[known], self.scores.correct[known]
        if not len(given) or np.isnan(given).any():
            values = Calibration(np.nan, np.nan, np.nan)
            ends = intervals(values, Calibration(*(np.empty(0) for _ in Calibration._fields)))
        else:
            counts = self.counts if known.all() else [block[known] for block in self.counts]
            values = calibration(given, correct)
            ends = intervals(values, resampled_calibration(given, correct, counts))
        errors: dict[str, float] = {}
        for name, value in values._asdict().items():
            names = _names(f"{name}{suffix}")
            errors |= dict(zip(names, (value, *ends[name]), strict=True))
        return errors


def _names(error: str) -> tuple[str, str, str]:
    """Name the columns of an error and of the ends of its interval."""
    return error, f"{error}_low", f"{error}_high"
