"""The multi-layer perceptron that predicts from a hidden state whether the answer is right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from uq_plugins.feature_scaling import Scaling, standardised

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows

WIDTHS = (256, 128, 64, 1)
# The slope of LeakyReLU below 0.
SLOPE = 0.01


class _Layer(NamedTuple):
    weight: torch.Tensor
    bias: torch.Tensor


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

    scaling = Scaling.of(rows) if standardise else None
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
    from scipy.special import expit

    state = standardised(weights, feature)
    for number in range(1, len(WIDTHS) + 1):
        if number > 1:
            state = np.where(state > 0, state, SLOPE * state)
        state = weights[f"weight{number}"].astype(np.float64) @ state + weights[f"bias{number}"]
    return float(expit(state[0]))


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
