"""Sequences being generated, and the choice of each one's next token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from slmroute_plugin.backends.stop_rule import Kept, StopRule

# Tokens in a block of the vocabulary. Most vocabularies are whole multiples of it.
BLOCK = 128
# So many rows of logits stay in a CPU's cache while they are summed up.
ROWS_IN_CACHE = 8


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; none of it means greedily."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def warp(self, logits: Tensor) -> Tensor:
        """[rows, vocabulary] logits as they are to be drawn from."""
        scores = logits
        if self.temperature != 1:
            scores = TemperatureLogitsWarper(float(self.temperature))(None, scores)
        if self.top_k is not None:
            scores = TopKLogitsWarper(self.top_k)(None, scores)
        if self.top_p is not None:
            scores = TopPLogitsWarper(float(self.top_p))(None, scores)
        return scores


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
    _generator: np.random.Generator | None = None

    def noise(self, count: int) -> NDArray[np.float32]:
        """The next `count` of this sequence's own exponential numbers, on every device the same."""
        if self._generator is None:
            self._generator = np.random.default_rng(self.seed)
        return self._generator.standard_exponential(count, dtype=np.float32)

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
    blocks = _in_blocks(logits)
    sums = _sums(blocks)
    picks = _largest(blocks)[index]
    drawn: dict[Sampling, list[int]] = {}
    for place, sequence in enumerate(sequences):
        if sequence.sampling is not None:
            drawn.setdefault(sequence.sampling, []).append(place)
    for sampling, places in drawn.items():
        at = torch.tensor(places, device=logits.device)
        who = [sequences[place] for place in places]
        if sampling == Sampling():
            picks[at] = _drawn(blocks, sums, index[at], who)
        else:
            warped = _in_blocks(sampling.warp(logits[index[at]]))
            picks[at] = _drawn(warped, _sums(warped), torch.arange(len(at)), who)
    # log p(token) without a second [rows, vocabulary] tensor of log-probabilities.
    chosen = logits[index, picks] - sums.logsumexp(dim=-1)[index]
    tokens: list[int] = picks.tolist()
    for sequence, token, logprob in zip(sequences, tokens, chosen.tolist(), strict=True):
        sequence.push(token, min(logprob, 0.0) if not math.isnan(logprob) else logprob)
    return tokens


def _in_blocks(logits: Tensor) -> Tensor:
    """[rows, vocabulary] to [rows, blocks, BLOCK], filled up with what is never drawn."""
    if short := -logits.shape[-1] % BLOCK:
        logits = nn.functional.pad(logits, (0, short), value=-torch.inf)
    return logits.view(*logits.shape[:-1], -1, BLOCK)


def _sums(blocks: Tensor) -> Tensor:
    """The log-sum-exp of every block: [rows, blocks]."""
    rows = ROWS_IN_CACHE if blocks.device.type == "cpu" else len(blocks)
    return torch.cat([part.logsumexp(dim=-1) for part in torch.split(blocks, rows)])


def _largest(blocks: Tensor) -> Tensor:
    """The likeliest token of every row; by blocks, as a maximum is found faster than its place."""
    block = blocks.amax(dim=-1).argmax(dim=-1)
    rows = torch.arange(len(blocks), device=blocks.device)
    return block * BLOCK + blocks[rows, block].argmax(dim=-1)


def _drawn(blocks: Tensor, sums: Tensor, rows: Tensor, sequences: Sequence[Generated]) -> Tensor:
    """A token for every sequence: first its block of the vocabulary, then which of the block.

    Both by the Gumbel-max trick: rounding, which differs between batches, changes the token
    only where two perturbed logits are as good as equal. Walking up the cumulative distribution,
    each of its thousands of steps is a place where it could. In two stages, which draw from the
    same distribution, since noise for every token of the vocabulary costs more than all else here.

    Args:
        blocks: [rows, blocks, BLOCK] logits.
        sums: [rows, blocks], the log-sum-exp of each.
        rows: [sequences], the row of each.
    """
    count = sums.shape[-1]
    noise = np.stack([sequence.noise(count + BLOCK) for sequence in sequences])
    gumbel = -torch.from_numpy(noise).clamp(min=1e-30).log().to(sums.device)
    rows = rows.to(sums.device)
    block = (sums[rows] + gumbel[:, :count]).argmax(dim=-1)
    within = (blocks[rows, block] + gumbel[:, count:]).argmax(dim=-1)
    return block * BLOCK + within
