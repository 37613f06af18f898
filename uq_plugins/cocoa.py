"""The UQ method `cocoa`: the probability of the answer, and how consistent samples are with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, fsum
from statistics import fmean
from typing import ClassVar

from slmroute_plugin import Observation, TokenLogprobs
from slmroute_plugin.signals import Signal
from uq_plugins.answer_tokens import answer_logprobs
from uq_plugins.option_checks import check_known
from uq_plugins.sample_similarity import SIMILARITIES, similarity
from uq_plugins.sampling_method import SamplingMethod

PROBABILITIES = ("perplexity", "sequence_prob")


@dataclass(frozen=True)
class Cocoa(SamplingMethod):
    """The answer's probability to the power of the samples' mean dissimilarity, exp(−u · d).

    u is −(1/T) Σ log p, or −Σ log p; d = mean of 1 − s(answer, sample) over the samples. It is 1
    if all samples agree with the answer, and the answer's probability if none does. Range [0, 1].
    Source: CoCoA, Vashurin et al. 2025 (arXiv 2502.04964), where u · d is the uncertainty and s
    a second model's.

    Args:
        n: The number of samples, at least 1.
        temperature: The temperature of the sampling.
        similarity: `answers` for 1 where the final answers are the same by the task's rule, else
            0; `words` for the Jaccard similarity of words.
        probability: `perplexity` for the mean of log p, `sequence_prob` for their sum.
    """

    name: ClassVar[str] = "cocoa"
    on_request: ClassVar[bool] = True
    fewest: ClassVar[int] = 1

    similarity: str = "answers"
    probability: str = "perplexity"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("similarity", self.similarity, SIMILARITIES)
        check_known("probability", self.probability, PROBABILITIES)

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signals for the answer's log-probabilities and for the samples."""
        return (TokenLogprobs(), self.samples)

    def confidence(self, seen: Observation) -> float:
        """Return exp(−u · d), in [0, 1].

        Raises:
            NoConfidence: If the answer is empty, or if there are no samples.
        """
        logprobs, samples = answer_logprobs(seen), self.drawn(seen)
        alike = similarity(seen, self.similarity)
        dissimilarity = fmean(1.0 - alike(seen.answer, sample) for sample in samples)
        if dissimilarity == 0:
            # Also where a token is impossible, and −log p infinite.
            return 1.0
        total = fsum(logprobs)
        exponent = total / len(logprobs) if self.probability == "perplexity" else total
        return exp(exponent * dissimilarity)
