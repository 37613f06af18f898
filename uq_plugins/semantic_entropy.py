"""The UQ method `semantic_entropy`: how evenly the samples spread over different answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, log
from typing import ClassVar

from slmroute_plugin import NoConfidence, Observation, TokenLogprobs
from slmroute_plugin.signals import Sample, Signal
from uq_plugins.option_checks import check_known
from uq_plugins.sample_similarity import same_answer_classes
from uq_plugins.sampling_method import SamplingMethod

WEIGHTS = ("mass", "frequency")


@dataclass(frozen=True)
class SemanticEntropy(SamplingMethod):
    """One minus the entropy over classes of the same answer, 1 − H / log m, for m samples.

    Samples whose final answer is the same by the task's rule are one class. H = −Σ p(C) log p(C)
    over classes. By mass, p(C) is in proportion to the summed probability of the samples in C; by
    frequency, to their number. Range [0, 1]. Source: Kuhn et al. 2023 (arXiv 2302.09664);
    by frequency: Farquhar et al. 2024 (doi 10.1038/s41586-024-07421-0).

    Args:
        n: The number of samples, at least 2.
        temperature: The temperature of the sampling.
        weights: `mass`, which takes the samples' log-probabilities, or `frequency`, which takes
            their texts alone.
    """

    name: ClassVar[str] = "semantic_entropy"
    on_request: ClassVar[bool] = True

    weights: str = "mass"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("weights", self.weights, WEIGHTS)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signal for the sampled answers; by mass, also one for log-probabilities.

        A model that tells none of its answer tells none of samples either, and is refused.
        """
        by_mass: tuple[Signal[object], ...] = (TokenLogprobs(),) if self.weights == "mass" else ()
        return (self.samples, *by_mass)

    def confidence(self, seen: Observation) -> float:
        """Return 1 − H / log m, in [0, 1].

        Raises:
            NoConfidence: If there are fewer than two samples, or, by mass and with several
                classes, if a sample is empty or its log-probabilities are not known.
        """
        samples = self.drawn(seen)
        classes = same_answer_classes(seen, samples)
        if len(classes) == 1:
            return 1.0
        logs = sequence_logprobs(samples) if self.weights == "mass" else [0.0] * len(samples)
        highest = max(logs)
        # Less the highest, so that long answers do not all have a probability of 0.
        weights = [exp(each - highest) if highest > -inf else 1.0 for each in logs]
        masses = [fsum(weights[index] for index in group) for group in classes]
        total = fsum(masses)
        entropy = -fsum(mass / total * log(mass / total) for mass in masses if mass > 0)
        # Rounding may leave the range by a hair.
        return min(1.0, max(0.0, 1.0 - entropy / log(len(samples))))


def sequence_logprobs(samples: Sequence[str]) -> list[float]:
    """Return the log-probability of each sample, the sum over its tokens.

    Raises:
        NoConfidence: If a sample is empty, or its log-probabilities are not known.
    """
    tokens = [sample.tokens if isinstance(sample, Sample) else None for sample in samples]
    known = [each for each in tokens if each is not None]
    if len(known) < len(tokens):
        raise NoConfidence("the log-probabilities of the samples are not known")
    if not all(each.logprobs for each in known):
        raise NoConfidence("a sample is empty, and the probability of an empty answer not known")
    return [fsum(each.logprobs) for each in known]
