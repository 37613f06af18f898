"""Made-up rows that probes learn from, and what probes make of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin import TrainingRows
from uq_plugins import TrainedProbe

QUICK = TrainedProbe(epochs=2, batch_size=16)
Weights = Mapping[str, NDArray[np.float32]]


def drawn(count: int, width: int = 24, seed: int = 0, shift: float = 0.0) -> TrainingRows:
    """Normal features; the answer is right where a fixed direction, plus noise, exceeds shift."""
    direction = np.random.default_rng(99).standard_normal(width)
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal((count, width)).astype(np.float16)
    score = pool @ (direction / np.linalg.norm(direction)) + 0.3 * rng.standard_normal(count)
    return TrainingRows(pool, np.arange(count), (score > shift).astype(np.float32))


def predictions(probe: TrainedProbe, weights: Weights, rows: TrainingRows) -> list[float]:
    return [probe.predict(weights, feature) for feature in rows.features()]


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )
