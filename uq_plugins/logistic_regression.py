"""The logistic regression that predicts from a hidden state whether the answer is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from uq_plugins.mlp import scaling_of, sigmoid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows


def fit_logistic(rows: TrainingRows, penalty: float) -> dict[str, NDArray[np.float32]]:
    """Fit a logistic regression by scikit-learn, on features that are standardised; return weights.

    Args:
        rows: The training rows, with features [d].
        penalty: The weight of half the sum of squared coefficients beside the summed log-loss;
            scikit-learn's 1 / C.

    Returns:
        `weight`, `mean` and `scale`, [d], and `bias`, [1]; float32.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    scaling = scaling_of(rows)
    regression = LogisticRegression(C=1 / penalty, max_iter=1000)
    regression.fit(scaling.apply(rows.features()), rows.correct)
    return {
        "weight": regression.coef_[0].astype(np.float32),
        "bias": regression.intercept_.astype(np.float32),
        **scaling._asdict(),
    }


def predict_logistic(
    weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
) -> float:
    """Return the probability, in [0, 1], that an answer is right, from its feature, [d]."""
    import numpy as np

    state = (feature.astype(np.float64) - weights["mean"]) / weights["scale"]
    return sigmoid(float(state @ weights["weight"].astype(np.float64) + weights["bias"][0]))
