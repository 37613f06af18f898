"""The UQ method `eig_val_laplacian`: how many different answers the samples give, continuously."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import Observation, Samples
from slmroute_plugin.signals import Signal
from uq_plugins.sample_similarity import (
    check_samples,
    check_similarity,
    laplacian_spectrum,
    similarity,
    two_or_more,
)


@dataclass(frozen=True)
class EigValLaplacian:
    """One minus the spread of m samples: (m − U) / (m − 1), where U = Σ max(0, 1 − λ).

    λ are the eigenvalues of the normalised Laplacian of the samples' similarities. U is the number
    of groups where samples are either the same or nothing alike, and a continuous count elsewhere.
    Range [0, 1]. Source: Lin et al. 2023 (arXiv 2305.19187), where U is the uncertainty.

    Args:
        n: The number of samples, at least 2.
        temperature: The temperature of the sampling.
        similarity: `words` for the Jaccard similarity of words; `answers` for 1 where the final
            answers are the same by the task's rule, else 0.
    """

    name: ClassVar[str] = "eig_val_laplacian"
    on_request: ClassVar[bool] = True

    n: int = 5
    temperature: float = 1.0
    similarity: str = "words"

    def __post_init__(self) -> None:
        check_samples(self.n)
        check_similarity(self.similarity)

    @property
    def _samples(self) -> Samples:
        return Samples(self.n, self.temperature)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the sampled answers."""
        return (self._samples,)

    def confidence(self, seen: Observation) -> float:
        """Return (m − U) / (m − 1), in [0, 1].

        Raises:
            NoConfidence: If there are fewer than two samples.
        """
        samples = seen[self._samples]
        two_or_more(samples)
        values = laplacian_spectrum(samples, similarity(seen, self.similarity)).values
        groups = sum(max(0.0, 1.0 - float(value)) for value in values)
        # Rounding may leave the range by a hair.
        return min(1.0, max(0.0, (len(samples) - groups) / (len(samples) - 1)))
