"""The logistic regression that predicts from features whether the answer is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def fit_logistic(
    features: NDArray[np.floating], correct: NDArray[np.float32], penalty: float = 1.0
) -> dict[str, NDArray[np.float32]]:
    """Fit a logistic regression by scikit-learn; return its weights.

    Args:
        features: The features of the training rows, [n, d].
        correct: The correctness of each row's answer, 1 or 0: [n].
        penalty: The weight of half the sum of squared coefficients beside the summed log-loss;
            scikit-learn's 1 / C.

    Returns:
        `weight`, [d], and `bias`, [1]; float32.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=1 / penalty, max_iter=1000).fit(features, correct)
    return {
        "weight": regression.coef_[0].astype(np.float32),
        "bias": regression.intercept_.astype(np.float32),
    }


def predict_logistic(
    weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.floating]
) -> float:
    """Return the probability, in [0, 1], that an answer is right, from its feature, [d].

    Args:
        weights: What `fit_logistic` returned, `weight` [d] and `bias` [1]; others are not read.
        feature: The feature of the answer.
    """
    import numpy as np
    from scipy.special import expit

    weight = weights["weight"].astype(np.float64)
    return float(expit(feature.astype(np.float64) @ weight + weights["bias"][0]))
