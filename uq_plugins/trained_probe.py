"""The UQ method `trained_probe`: a probe trained on the data set's own answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from slmroute_plugin import HiddenState, TrainingRows
from uq_plugins.mlp import fit_mlp, predict_mlp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainedProbe:
    """A four-layer MLP on one hidden state, trained on other answers to the same data set.

    Range [0, 1]. Source: Chuang et al. 2025 (arXiv 2502.04428), after Mahaut et al. 2024
    (arXiv 2406.13415): the eighth-to-last layer, Adam, 20 epochs, learning rate 5e-4.

    Args:
        epochs: The number of times that each row is seen.
        learning_rate: The learning rate of Adam.
        batch_size: The rows per step; the last batch of an epoch may be smaller.
        standardise: Whether each feature is first centred and divided by its standard deviation
            over the training rows. The paper does not say.
    """

    name: ClassVar[str] = "trained_probe"
    trains_on: ClassVar[Literal["in_domain", "out_of_domain"]] = "in_domain"
    on_request: ClassVar[bool] = False

    epochs: int = 20
    learning_rate: float = 5e-4
    batch_size: int = 64
    standardise: bool = False

    def __post_init__(self) -> None:
        for option in ("epochs", "batch_size"):
            if getattr(self, option) < 1:
                raise ValueError(f"`{option}` must be 1 or more, not {getattr(self, option)}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"`learning_rate` must be a number above 0, not {self.learning_rate}")

    @property
    def asks(self) -> tuple[HiddenState]:
        """The signal for the hidden state at the answer's last token."""
        return (HiddenState(),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the MLP to the rows; return its weights, as `fit_mlp` does."""
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
        """Return the MLP's probability, in [0, 1], that the answer is right."""
        return predict_mlp(weights, feature)
