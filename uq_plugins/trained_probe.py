"""The UQ method `trained_probe`: a probe trained on the data set's own answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast, get_args

from slmroute_plugin import HiddenState, TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from slmroute_plugin.signals import Position
from uq_plugins.feature_scaling import Scaling, standardised
from uq_plugins.logistic_regression import fit_logistic, predict_logistic
from uq_plugins.mlp import fit_mlp, predict_mlp
from uq_plugins.option_checks import check_at_least, check_known, check_positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainedProbe:
    """A four-layer MLP on one hidden state, trained on other answers to the same data set.

    Range [0, 1]. Source: Chuang et al. 2025 (arXiv 2502.04428), after Mahaut et al. 2024
    (arXiv 2406.13415): the eighth-to-last layer, Adam, 20 epochs, learning rate 5e-4. A logistic
    regression on the mean of a middle layer over the answer is that of arXiv 2604.11662.

    Args:
        layer: The layer that is read, of those that the run kept. By default, and with the
            default position, that which the run kept, if it kept a single layer.
        position: The token: `last_prompt`, `last_answer`, or `mean_answer`.
        head: `mlp`, or `logistic` for a logistic regression on standardised features, which of
            the options below takes `penalty` alone.
        penalty: The weight of half the sum of squared coefficients of the regression beside the
            summed log-loss.
        epochs: The number of times that each row is seen.
        learning_rate: The learning rate of Adam.
        batch_size: The rows per step; the last batch of an epoch may be smaller.
        standardise: Whether each feature is first centred and divided by its standard deviation
            over the training rows. The paper does not say.
    """

    name: ClassVar[str] = "trained_probe"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = False

    layer: int = -8
    position: str = "last_answer"
    head: str = "mlp"
    penalty: float = 100.0
    epochs: int = 20
    learning_rate: float = 5e-4
    batch_size: int = 64
    standardise: bool = False

    def __post_init__(self) -> None:
        check_known("position", self.position, get_args(Position))
        check_known("head", self.head, ("mlp", "logistic"))
        check_at_least(1, "epochs", self.epochs)
        check_at_least(1, "batch_size", self.batch_size)
        check_positive("learning_rate", self.learning_rate)
        check_positive("penalty", self.penalty)

    @property
    def asks(self) -> tuple[HiddenState]:
        """The signal for the hidden state."""
        return (HiddenState(self.layer, cast(Position, self.position)),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the head to the rows; return its weights, as `fit_mlp` or `fit_logistic` does.

        Those of a regression have the `mean` and `scale` of the features, [d], with them.
        """
        if self.head == "logistic":
            scaling = Scaling.of(rows)
            features = scaling.apply(rows.features())
            return fit_logistic(features, rows.correct, self.penalty) | scaling._asdict()
        return fit_mlp(
            rows,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            standardise=self.standardise,
            seed=seed,
        )

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the head's probability, in [0, 1], that the answer is right."""
        if "weight" in weights:  # those of a regression, whatever this method's own head is
            return predict_logistic(weights, standardised(weights, feature))
        return predict_mlp(weights, feature)
