"""The UQ method `eig_val_laplacian`: how many different answers the samples give, continuously."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from slmroute_plugin import Observation
from uq_plugins.option_checks import check_known
from uq_plugins.sample_similarity import (
    SIMILARITIES,
    laplacian_spectrum,
    similarity,
    without_rounding_error,
)
from uq_plugins.sampling_method import SamplingMethod


@dataclass(frozen=True)
class EigValLaplacian(SamplingMethod):
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

    similarity: str = "words"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("similarity", self.similarity, SIMILARITIES)

    def confidence(self, seen: Observation) -> float:
        """Return (m − U) / (m − 1), in [0, 1].

        Raises:
            NoConfidence: If there are fewer than two samples.
        """
        samples = self.drawn(seen)
        values = laplacian_spectrum(samples, similarity(seen, self.similarity)).values
        groups = sum(max(0.0, 1.0 - float(value)) for value in values)
        return without_rounding_error((len(samples) - groups) / (len(samples) - 1))
