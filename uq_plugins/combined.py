"""The UQ method `combined`: a logistic regression on the confidences of other methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from slmroute_plugin import Confidences, TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.logistic_regression import fit_logistic, predict_logistic
from uq_plugins.option_checks import check_positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST = 1e-4
"""The least distance of a confidence from 0 and 1, so that its logit is finite: 9.2 at most."""


@dataclass(frozen=True)
class Combined:
    """A logistic regression on other methods' confidences, trained on the data set's own answers.

    Each confidence c becomes log(c / (1 − c)), with c kept 0.0001 away from 0 and 1. A confidence
    that is missing becomes the mean over the training rows, and a further feature says that it was
    missing, where any was in training. All features are standardised. Range [0, 1]. Source:
    stacked generalisation (Wolpert 1992, Neural Networks 5), with the regression that Ting & Witten
    1999 (arXiv 1105.5466) found to do.

    Args:
        penalty: The weight of half the sum of squared coefficients beside the summed log-loss;
            scikit-learn's 1 / C.
        methods: The names of the methods whose confidences count, with commas between; all
            untrained methods that training rows have confidences of, if there are none.
    """

    name: ClassVar[str] = "combined"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = True

    penalty: float = 1.0
    methods: str = ""

    def __post_init__(self) -> None:
        check_positive("penalty", self.penalty)

    @property
    def asks(self) -> tuple[Confidences]:
        """The feature: the confidences of the other methods."""
        names = (name.strip() for name in self.methods.split(","))
        return (Confidences(tuple(name for name in names if name)),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the regression to features [n, m]; return its weights.

        Returns:
            `mean` [m]: what a missing logit becomes; `indicated` [k]: the places of the features
            that were missing in training; `center`, `scale` and `weight` [m + k]; and `bias` [1].
        """
        import numpy as np
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import StandardScaler

        imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
        scaler = StandardScaler()
        features = scaler.fit_transform(imputer.fit_transform(logits(rows.features())))
        preparation = {
            "mean": imputer.statistics_,
            "indicated": imputer.indicator_.features_,
            "center": scaler.mean_,
            "scale": scaler.scale_,
        }
        return {
            **{name: np.asarray(values, np.float32) for name, values in preparation.items()},
            **fit_logistic(features, rows.correct, self.penalty),
        }

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the probability, in [0, 1], that the answer is right; computed in float64."""
        import numpy as np

        values = logits(feature)
        missing = np.isnan(values)
        indicated = missing[weights["indicated"].astype(np.int64)].astype(np.float64)
        filled = np.concatenate([np.where(missing, weights["mean"], values), indicated])
        return predict_logistic(weights, (filled - weights["center"]) / weights["scale"])


def logits(confidences: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return log(c / (1 − c)) of each confidence, kept 0.0001 away from 0 and 1; NaN stays NaN."""
    import numpy as np

    kept = np.clip(confidences.astype(np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(kept) - np.log1p(-kept))
