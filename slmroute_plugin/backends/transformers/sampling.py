"""Sequences being generated, and the choice of each one's next token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from slmroute_plugin.backends.transformers.keeping import Kept, StopRule


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; none of it means greedily."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def warp(self, logits: Tensor) -> Tensor:
        """[vocabulary] logits as they are to be drawn from."""
        scores: Tensor = TemperatureLogitsWarper(float(self.temperature))(None, logits[None])
        if self.top_k is not None:
            scores = TopKLogitsWarper(self.top_k)(None, scores)
        if self.top_p is not None:
            scores = TopPLogitsWarper(float(self.top_p))(None, scores)
        return scores[0]


@dataclass
class Generated:
    """One sequence being generated behind a prompt.

    Attributes:
        rule: when it ends, and what is kept.
        max_tokens: it ends there at the latest.
        sampling: how tokens are drawn; None for greedily.
        seed: of the draws.
        ids: tokens so far, end token included.
        logprobs: natural log-probability of each under the raw logits.
    """

    rule: StopRule
    max_tokens: int
    sampling: Sampling | None = None
    seed: int = 0
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    _response_start: int | None = None
    _generator: torch.Generator | None = None

    def draw(self, logits: Tensor) -> Tensor:
        """The next token drawn from raw logits [vocabulary].

        By the Gumbel-max trick: rounding, which differs between batches, changes the token
        only where two perturbed logits are as good as equal. Walking up the cumulative
        distribution, each of its thousands of steps is a place where it could.
        """
        if self._generator is None:
            self._generator = torch.Generator(logits.device).manual_seed(self.seed)
        noise = torch.empty_like(logits).exponential_(generator=self._generator)
        warped = self.sampling.warp(logits) if self.sampling is not None else logits
        return (warped - noise.clamp(min=1e-30).log()).argmax()

    def push(self, token: int, logprob: float) -> None:
        """Take the next token, and see whether it is the last."""
        self.ids.append(token)
        self.logprobs.append(logprob)
        if self._response_start is None:
            self._response_start = self.rule.response_start(self.ids)
        self.ended = len(self.ids) >= self.max_tokens or self.rule.ended(
            self.ids, self._response_start
        )

    def kept(self) -> Kept:
        """The text that is kept, and its tokens."""
        return self.rule.kept(self.ids)


def choose(
    logits: Tensor, sequences: Sequence[Generated], rows: Sequence[int] | None = None
) -> list[int]:
    """Choose the next token of every sequence and push it.

    Args:
        logits: [rows, vocabulary], raw, float32.
        rows: the row of each sequence; sequences that are the same so far may share one.
            By default each has its own.

    Returns:
        The tokens.
    """
    index = torch.tensor(rows if rows is not None else range(len(sequences)), device=logits.device)
    where: list[int] = index.tolist()
    picks = logits.argmax(dim=-1)[index]
    for place, sequence in enumerate(sequences):
        if sequence.sampling is not None:
            picks[place] = sequence.draw(logits[where[place]])
    # log p(token) without a second [rows, vocabulary] tensor of log-probabilities.
    chosen = logits[index, picks] - torch.logsumexp(logits, dim=-1)[index]
    tokens: list[int] = picks.tolist()
    for sequence, token, logprob in zip(sequences, tokens, chosen.tolist(), strict=True):
        sequence.push(token, min(logprob, 0.0) if not math.isnan(logprob) else logprob)
    return tokens
