"""The UQ method `eccentricity`: how far the samples lie from their centre."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

from slmroute_plugin import Observation
from uq_plugins.option_checks import check_known
from uq_plugins.sample_similarity import (
    SIMILARITIES,
    SPECTRUM_DECIMALS,
    laplacian_spectrum,
    similarity,
    without_rounding_error,
)
from uq_plugins.sampling_method import SamplingMethod


@dataclass(frozen=True)
class Eccentricity(SamplingMethod):
    """One minus the samples' distance from their centre, 1 − U / √(m − 1), for m samples.

    Each sample is placed by its entries of those eigenvectors of the normalised Laplacian whose
    eigenvalue is below a threshold. U is the Frobenius norm of the places less their mean, from 0
    where all samples are the same to √(m − 1) where none is like another. Range [0, 1]. Source:
    Lin et al. 2023 (arXiv 2305.19187), where U is the uncertainty.

    Args:
        n: The number of samples, at least 2.
        temperature: The temperature of the sampling.
        similarity: `words` for the Jaccard similarity of words; `answers` for 1 where the final
            answers are the same by the task's rule, else 0.
        threshold: The eigenvalue, above 0, from which on eigenvectors are left out.
    """

    name: ClassVar[str] = "eccentricity"
    on_request: ClassVar[bool] = True

    similarity: str = "words"
    threshold: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("similarity", self.similarity, SIMILARITIES)
        if not self.threshold > 0:
            raise ValueError(f"`threshold` must be above 0, not {self.threshold}")

    def confidence(self, seen: Observation) -> float:
        """Return 1 − U / √(m − 1), in [0, 1].

        Raises:
            NoConfidence: If there are fewer than two samples.
        """
        samples = self.drawn(seen)
        spectrum = laplacian_spectrum(samples, similarity(seen, self.similarity))
        places = spectrum.vectors[:, spectrum.values.round(SPECTRUM_DECIMALS) < self.threshold]
        distance = sqrt(float(((places - places.mean(axis=0)) ** 2).sum()))
        return without_rounding_error(1.0 - distance / sqrt(len(samples) - 1))
