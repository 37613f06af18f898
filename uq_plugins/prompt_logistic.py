"""The UQ methods `prompt_logistic` and `prompt_logistic_ood`: regressions on the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from slmroute_plugin import TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.logistic_regression import fit_logistic, predict_logistic
from uq_plugins.option_checks import check_positive
from uq_plugins.prompt_features import PromptFeatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PromptLogistic(PromptFeatures):
    """A logistic regression on the prompt's mean state, or on the question's words.

    A baseline of routing before an answer, which a method has to beat. Range [0, 1]. Source: the
    predictive routers of RouterBench (Hu et al. 2024, arXiv 2403.12031), with a linear model in
    place of their MLP. `features` and `layer` are those of `PromptFeatures`.

    Args:
        penalty: The weight of half the sum of squared coefficients beside the summed log-loss;
            scikit-learn's 1 / C.
    """

    name: ClassVar[str] = "prompt_logistic"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = True

    penalty: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("penalty", self.penalty)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the regression; return what prepares features, `weight` [m] and `bias` [1]."""
        vectors, weights = self.prepared(rows)
        return weights | fit_logistic(vectors, rows.correct, self.penalty)

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the probability, in [0, 1], that the answer is right."""
        return predict_logistic(weights, self.vector(weights, feature)[0])


@dataclass(frozen=True)
class PromptLogisticOod(PromptLogistic):
    """The regression of `prompt_logistic`, trained on all data sets but that at hand.

    Range [0, 1]. The options are those of `PromptLogistic`.
    """

    name: ClassVar[str] = "prompt_logistic_ood"
    trains_on: ClassVar[TrainsOn] = "out_of_domain"
