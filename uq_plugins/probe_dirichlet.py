"""The UQ method `probe_dirichlet`: a linear probe on a learned mixture of all layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from slmroute_plugin import PromptStates, TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.feature_scaling import Scaling, standardised
from uq_plugins.mlp import check_finite
from uq_plugins.option_checks import check_at_least, check_positive

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

# The share of the rows that decide when to stop.
HELD_OUT = 0.2


@dataclass(frozen=True)
class ProbeDirichlet:
    """A logistic regression on a mixture of all layers' states of the prompt, before any answer.

    In training, each row of a batch is mixed with shares of its own, drawn from
    Dirichlet(exp(g) · softmax(c)); afterwards with their mean, softmax(c). c, g and the
    regression are learned together. A fifth of the rows is held out, and the weights with the
    lowest loss on these rows are kept. Range [0, 1]. Source: ProbeDirichlet of Wu et al. 2026
    (arXiv 2602.11877); c, g, batches and epochs begin and end as in its authors' code, which
    does not standardise.

    Args:
        epochs: The largest number of epochs.
        learning_rate: The learning rate of Adam.
        batch_size: The rows per step; the last batch of an epoch may be smaller.
        patience: The epochs without a lower loss on the held-out rows before training stops.
        standardise: Whether each feature of each layer is first centred and divided by its
            standard deviation over the training rows. States grow by orders of magnitude from
            the first layer to the last, and a mixture would be the last layers' alone.
    """

    name: ClassVar[str] = "probe_dirichlet"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = True

    epochs: int = 50
    learning_rate: float = 1e-4
    batch_size: int = 32
    patience: int = 8
    standardise: bool = True

    def __post_init__(self) -> None:
        check_at_least(1, "epochs", self.epochs)
        check_at_least(1, "batch_size", self.batch_size)
        check_at_least(1, "patience", self.patience)
        check_positive("learning_rate", self.learning_rate)

    @property
    def asks(self) -> tuple[PromptStates]:
        """The signal for all layers' states, averaged over the prompt."""
        return (PromptStates(),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the probe to features [n, L + 1, d]; return its weights.

        All randomness comes from `seed`, and no global generator is read or moved.

        Returns:
            `mixture` [L + 1], which sums to 1, `weight` [d] and `bias` [1], float32; and `mean` and
            `scale`, [L + 1, d], if the features were standardised.

        Raises:
            ValueError: If the training diverged.
        """
        import torch

        generator = torch.Generator(device="cpu").manual_seed(seed)
        split = _split(len(rows), generator)
        scaling = Scaling.of(rows, split.fitted.numpy()) if self.standardise else None
        read = _Reader(rows, torch.tensor(rows.correct, device="cpu"), scaling, self.batch_size)
        # The caller may have switched gradients off, as those who run models do.
        with torch.inference_mode(False):
            best = self._train(read, split, generator)
        weights = best.weights() | (scaling._asdict() if scaling else {})
        check_finite(weights, self.learning_rate)
        return weights

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the probability, in [0, 1], that the answer is right; computed in float64."""
        from scipy.special import expit

        states = standardised(weights, feature)
        logit = weights["mixture"] @ (states @ weights["weight"]) + weights["bias"][0]
        return float(expit(logit))

    def _train(self, read: _Reader, split: _Split, generator: torch.Generator) -> _Parameters:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        parameters = _Parameters.initial(read.rows.pool.shape, generator)
        adam = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)
        best, lowest, since = parameters, math.inf, 0
        for _ in range(self.epochs):
            order = torch.randperm(len(split.fitted), generator=generator, device="cpu")
            for batch in read.batches(split.fitted[order]):
                shares = dirichlet_shares(
                    parameters.layers, parameters.strength, len(batch.correct), generator
                )
                logits = parameters.logits(batch.features, shares.to(torch.float32))
                adam.zero_grad()
                torch.autograd.backward(binary_cross_entropy_with_logits(logits, batch.correct))
                adam.step()
            loss = _held_out_loss(parameters, read, split.held_out)
            since += 1
            if loss < lowest:
                best, lowest, since = parameters.copy(), loss, 0
            if since == self.patience:
                break
        return best


def dirichlet_shares(
    logits: torch.Tensor, strength: torch.Tensor, count: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw from Dirichlet(exp(strength) · softmax(logits)): float64, [count, len(logits)].

    The draws are differentiable in `logits` and `strength`. A Dirichlet draw is a vector of
    Gammas divided by their sum, and Gamma(a) is Gamma(a + 1) · u^(1/a) with u uniform (Marsaglia
    & Tsang 2000). Logarithms are used here, because the Gammas of small concentrations underflow
    and their logarithms do not. The gradient goes through Gamma(a + 1) by implicit
    reparameterisation (Figurnov et al. 2018, arXiv 1805.08498).
    """
    import torch

    concentration = strength.double().exp() * logits.double().softmax(0)
    concentration = concentration.expand(count, -1)
    gamma = torch._standard_gamma(concentration + 1, generator=generator)
    # The numbers lie in (0, 1], because the logarithm of 0 must not occur.
    uniform = 1 - torch.rand(
        concentration.shape, generator=generator, dtype=torch.float64, device="cpu"
    )
    return (gamma.log() + uniform.log() / concentration).softmax(1)


class _Split(NamedTuple):
    held_out: torch.Tensor
    fitted: torch.Tensor


class _Batch(NamedTuple):
    features: torch.Tensor
    correct: torch.Tensor


class _Reader(NamedTuple):
    rows: TrainingRows
    correct: torch.Tensor
    scaling: Scaling | None
    batch_size: int

    def batches(self, at: torch.Tensor) -> Iterator[_Batch]:
        import torch

        for part in torch.split(at, self.batch_size):
            features = self.rows.features(part.numpy())
            if self.scaling:
                self.scaling.apply(features)
            yield _Batch(torch.from_numpy(features), self.correct[part])


class _Parameters(NamedTuple):
    layers: torch.Tensor
    strength: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def initial(cls, shape: tuple[int, ...], generator: torch.Generator) -> _Parameters:
        import torch

        _, layers, width = shape
        bound = 1 / math.sqrt(width)
        line = torch.empty(width + 1, dtype=torch.float32, device="cpu")
        weight, bias = torch.split(line.uniform_(-bound, bound, generator=generator), [width, 1])
        mixed = torch.zeros(layers, dtype=torch.float32, device="cpu")
        strength = torch.ones(1, dtype=torch.float32, device="cpu")
        initial = (mixed, strength, weight, bias)
        return cls(*(parameter.clone().requires_grad_() for parameter in initial))

    def logits(self, features: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        # The mixture of projections is the projection of the mixture, and much smaller.
        return ((features @ self.weight) * shares).sum(-1) + self.bias

    def copy(self) -> _Parameters:
        return _Parameters(*(parameter.detach().clone() for parameter in self))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        return {
            "mixture": self.layers.detach().softmax(0).numpy(),
            "weight": self.weight.detach().numpy(),
            "bias": self.bias.detach().numpy(),
        }


def _split(count: int, generator: torch.Generator) -> _Split:
    import torch

    order = torch.randperm(count, generator=generator, device="cpu")
    held_out = max(1, round(HELD_OUT * count))
    return _Split(order[:held_out], order[held_out:])


def _held_out_loss(parameters: _Parameters, read: _Reader, at: torch.Tensor) -> float:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    total = 0.0
    with torch.no_grad():
        mixture = parameters.layers.softmax(0)
        for batch in read.batches(at):
            logits = parameters.logits(batch.features, mixture)
            total += float(binary_cross_entropy_with_logits(logits, batch.correct, reduction="sum"))
    return total / len(at)
