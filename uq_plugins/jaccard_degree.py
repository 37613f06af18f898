"""The UQ method `jaccard_degree`: the agreement of several sampled answers, word for word."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation
from uq_plugins.sample_similarity import jaccard, words
from uq_plugins.sampling_method import SamplingMethod


@dataclass(frozen=True)
class JaccardDegree(SamplingMethod):
    """The mean Jaccard similarity of m sampled answers' word sets, 1 - trace(mI - D) / m².

    D is the degree matrix: the diagonal of the row sums of the m×m matrix of similarities, in
    which each sample agrees with itself. Range [1/m, 1]. Source: Lin et al. 2023
    (arXiv 2305.19187), where trace(mI - D) / m² is the uncertainty; Chuang et al. 2025 call it
    the confidence.

    Args:
        n: The number of samples, at least 2.
        temperature: The temperature of the sampling.
    """

    name: ClassVar[str] = "jaccard_degree"

    def confidence(self, seen: Observation) -> float:
        """Return the samples' mean agreement, in [1/m, 1].

        Raises:
            NoConfidence: If there are fewer than two samples.
        """
        sets = [words(sample) for sample in self.drawn(seen)]
        return fmean(jaccard(one, other) for one in sets for other in sets)
