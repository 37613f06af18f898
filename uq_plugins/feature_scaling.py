"""The scaling of a probe's features: each centred, and divided by its standard deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows

# The number of features held in float64 at once, so that a pool is never copied whole.
_CHUNK_VALUES = 2**20


class Scaling(NamedTuple):
    """A scaling that makes features comparable: (feature - mean) / scale.

    Attributes:
        mean: The mean of each feature, float32.
        scale: The standard deviation of each feature, float32; 1 for a constant feature.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise `features` in place, and return them."""
        features -= self.mean
        features /= self.scale
        return features

    @classmethod
    def of(cls, rows: TrainingRows, at: NDArray[np.int64] | None = None) -> Scaling:
        """Measure each feature over the training rows `at`, by default all of them."""
        import numpy as np

        if at is None:
            at = np.arange(len(rows))
        # Distances are from the first row, so that a constant feature has a variance of exactly 0.
        origin = rows.features(at[:1])[0].astype(np.float64)
        total, squares = np.zeros_like(origin), np.zeros_like(origin)
        step = max(1, _CHUNK_VALUES // origin.size)
        for start in range(0, len(at), step):
            distance = rows.features(at[start : start + step]) - origin
            total += distance.sum(axis=0)
            squares += np.square(distance, out=distance).sum(axis=0)
        mean = total / len(at)
        variance = np.maximum(squares / len(at) - np.square(mean), 0)
        scale = np.sqrt(variance)
        scale[scale == 0] = 1
        return cls((origin + mean).astype(np.float32), scale.astype(np.float32))


def standardised(
    weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return a feature in float64, standardised if the weights hold a `mean` and a `scale`."""
    import numpy as np

    state = feature.astype(np.float64)
    return (state - weights["mean"]) / weights["scale"] if "mean" in weights else state
