"""The statistics of the vocabulary at one step of generation, computed where the logits are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from slmroute_plugin.signals import VocabularyStatistics


class StepStatistics(NamedTuple):
    """The statistics of one step; see `VocabularyStatistics`."""

    entropy: float
    first: float
    second: float
    mean_logprob: float
    possible: int


def step_statistics(logits: Tensor) -> list[StepStatistics]:
    """Return the statistics of each row of raw logits, [rows, vocabulary], float32."""
    logprobs = logits.log_softmax(dim=-1)
    possible = logprobs.isfinite()
    counts = possible.sum(dim=-1)
    # What cannot come has no part in a sum; 0 · log 0 is not a number.
    logprobs = logprobs.masked_fill(~possible, 0.0)
    means = logprobs.sum(dim=-1) / counts
    chances = logits.softmax(dim=-1)
    entropies = -(chances * logprobs).sum(dim=-1)
    top = chances.topk(2, dim=-1).values
    columns = torch.stack([entropies.clamp(min=0), top[:, 0], top[:, 1], means], dim=-1)
    return [
        StepStatistics(entropy, first, second, mean, count)
        for (entropy, first, second, mean), count in zip(
            columns.tolist(), counts.tolist(), strict=True
        )
    ]


def transposed(steps: Sequence[StepStatistics]) -> VocabularyStatistics:
    """Return the statistics of several steps as those of an answer."""
    if not steps:
        return VocabularyStatistics((), (), (), (), ())
    entropy, first, second, mean_logprob, possible = zip(*steps, strict=True)
    return VocabularyStatistics(entropy, first, second, mean_logprob, possible)
