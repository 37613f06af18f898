"""The multi-layer perceptron that predicts from a hidden state whether the answer is right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows

WIDTHS = (256, 128, 64, 1)
# The slope of LeakyReLU below 0.
SLOPE = 0.01

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


class _Layer(NamedTuple):
    weight: torch.Tensor
    bias: torch.Tensor


def scaling_of(rows: TrainingRows, at: NDArray[np.int64] | None = None) -> Scaling:
    """Return the mean and scale of each feature over the training rows `at`, by default all."""
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
    return Scaling((origin + mean).astype(np.float32), scale.astype(np.float32))


def fit_mlp(
    rows: TrainingRows,
    *,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    standardise: bool,
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """Fit a four-layer MLP, d → 256 → 128 → 64 → 1 with LeakyReLU between; return its weights.

    The loss is binary cross-entropy, the optimiser is Adam, and rows are shuffled anew for each
    epoch. All randomness comes from `seed`, and no global generator is read or moved: the same
    rows and seed give the same weights, also if several fits run in threads. The layers begin as
    PyTorch's own do. Source: Chuang et al. 2025 (arXiv 2502.04428), after Mahaut et al. 2024
    (arXiv 2406.13415).

    Args:
        rows: The training rows, with features [d].
        learning_rate: The learning rate of Adam.
        epochs: The number of times that each row is seen.
        batch_size: The rows per step; the last batch of an epoch may be smaller.
        standardise: Whether features are first standardised over the training rows.
        seed: The seed of the initial weights and of the shuffling.

    Returns:
        `weight1`, `bias1`, …, `weight4`, `bias4`, as [out, in] and [out], float32; and `mean` and
        `scale`, [d], if the features were standardised.

    Raises:
        ValueError: If the training diverged.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    scaling = scaling_of(rows) if standardise else None
    generator = torch.Generator(device="cpu").manual_seed(seed)
    correct = torch.tensor(rows.correct, device="cpu")
    # The caller may have switched gradients off, as those who run models do.
    with torch.inference_mode(False):
        layers = _initial_layers(rows.pool.shape[1], generator)
        parameters = [parameter for layer in layers for parameter in layer]
        adam = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
        for _ in range(epochs):
            order = torch.randperm(len(rows), generator=generator, device="cpu")
            for at in torch.split(order, batch_size):
                features = rows.features(at.numpy())
                if scaling:
                    scaling.apply(features)
                logits = _logits(layers, torch.from_numpy(features))
                adam.zero_grad()
                torch.autograd.backward(binary_cross_entropy_with_logits(logits, correct[at]))
                adam.step()
    weights = _named(layers) | (scaling._asdict() if scaling else {})
    check_finite(weights, learning_rate)
    return weights


def predict_mlp(weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]) -> float:
    """Return the confidence in an answer, in [0, 1], from its feature, [d]; computed in float64."""
    import numpy as np

    state = feature.astype(np.float64)
    if "mean" in weights:
        state = (state - weights["mean"]) / weights["scale"]
    for number in range(1, len(WIDTHS) + 1):
        if number > 1:
            state = np.where(state > 0, state, SLOPE * state)
        state = weights[f"weight{number}"].astype(np.float64) @ state + weights[f"bias{number}"]
    return sigmoid(float(state[0]))


def sigmoid(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)), for logits of any size."""
    small = math.exp(-abs(logit))
    return (1.0 if logit >= 0 else small) / (1.0 + small)


def check_finite(weights: Mapping[str, NDArray[np.float32]], learning_rate: float) -> None:
    """Refuse the weights of a training that diverged.

    Raises:
        ValueError: If a weight is infinite or NaN.
    """
    import numpy as np

    broken = [name for name, weight in weights.items() if not np.isfinite(weight).all()]
    if broken:
        raise ValueError(
            f"the training diverged ({', '.join(broken)} not finite) at the learning rate "
            f"{learning_rate}: set a lower `learning_rate`"
        )


def _initial_layers(width: int, generator: torch.Generator) -> list[_Layer]:
    import torch

    layers = []
    for inputs, outputs in zip((width, *WIDTHS), WIDTHS, strict=False):
        bound = 1 / math.sqrt(inputs)
        weight, bias = (
            torch.empty(shape, dtype=torch.float32, device="cpu").uniform_(
                -bound, bound, generator=generator
            )
            for shape in ((outputs, inputs), (outputs,))
        )
        layers.append(_Layer(weight.requires_grad_(), bias.requires_grad_()))
    return layers


def _logits(layers: list[_Layer], features: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import leaky_relu, linear

    state = linear(features, *layers[0])
    for layer in layers[1:]:
        state = linear(leaky_relu(state, SLOPE), *layer)
    return state.squeeze(1)


def _named(layers: list[_Layer]) -> dict[str, NDArray[np.float32]]:
    return {
        f"{kind}{number}": parameter.detach().numpy()
        for number, layer in enumerate(layers, start=1)
        for kind, parameter in layer._asdict().items()
    }
