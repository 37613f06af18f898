"""The choice of the next token of sequences that are being generated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.stop_rule import StopRule
from slmroute_plugin.backends.transformers.token_statistics import StepStatistics, step_statistics

# The tokens in a block of the vocabulary. Most vocabularies are whole multiples of it.
BLOCK = 128
# The rows of logits that stay in a CPU's cache while they are summed up.
ROWS_IN_CACHE = 8


@dataclass(frozen=True)
class Sampling:
    """A way of drawing tokens; in place of it, None means that the likeliest token is chosen.

    Attributes:
        temperature: The temperature, above 0.
        top_k: The number of likeliest tokens to draw from; None for all.
        top_p: The cumulative probability of the likeliest tokens to draw from; None for all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def warp(self, logits: Tensor) -> Tensor:
        """Change logits [rows, vocabulary] to those that tokens are drawn from."""
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
    """A sequence that is being generated behind a prompt.

    Attributes:
        rule: The rule by which the sequence ends, and by which its text is kept.
        max_tokens: The number of tokens at which the sequence ends at the latest.
        sampling: The way of drawing tokens; None for the likeliest.
        seed: The seed of the draws.
        ids: The tokens so far, with the end token.
        logprobs: The natural log-probability of each token under the raw logits.
        ended: Whether the sequence has ended.
        statistics: The statistics of the whole vocabulary at each token; None if they are not
            wanted.
    """

    rule: StopRule
    max_tokens: int
    sampling: Sampling | None = None
    seed: int = 0
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    statistics: list[StepStatistics] | None = None
    _response_start: int | None = None
    _generator: np.random.Generator | None = None

    def noise(self, count: int) -> NDArray[np.float32]:
        """Return the sequence's next `count` exponential numbers, the same on every device."""
        if self._generator is None:
            self._generator = np.random.default_rng(self.seed)
        return self._generator.standard_exponential(count, dtype=np.float32)

    def push(self, token: int, logprob: float) -> None:
        """Append the next token, and determine whether it is the last."""
        self.ids.append(token)
        self.logprobs.append(logprob)
        if self._response_start is None:
            self._response_start = self.rule.response_start(self.ids)
        self.ended = len(self.ids) >= self.max_tokens or self.rule.ended(
            self.ids, self._response_start
        )

    def tell(self, step: StepStatistics) -> None:
        """Append the statistics of the vocabulary at the next token, if they are wanted."""
        if self.statistics is not None:
            self.statistics.append(step)

    def kept(self) -> Kept:
        """Return the text that is kept, and its tokens."""
        return self.rule.kept(self.ids)


def choose(
    logits: Tensor,
    sequences: Sequence[Generated],
    rows: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> list[int]:
    """Choose the next token of every sequence and push it.

    Args:
        logits: The raw logits, [rows, vocabulary], float32.
        sequences: The sequences.
        rows: The row of each sequence; sequences that are the same so far may share a row. By
            default each sequence has its own row.
        dtype: The dtype of the model's own logits. The likeliest token is chosen by logits that
            are rounded to it, as by the model itself; all else is of logits as they are.

    Returns:
        The token of each sequence.
    """
    index = torch.tensor(rows if rows is not None else range(len(sequences)), device=logits.device)
    blocks = _in_blocks(logits)
    sums = _sums(blocks)
    picks = _largest(blocks.to(dtype))[index]
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
    if told := [at for at, sequence in enumerate(sequences) if sequence.statistics is not None]:
        steps = step_statistics(logits[index[torch.tensor(told, device=logits.device)]])
        for place, step in zip(told, steps, strict=True):
            sequences[place].tell(step)
    # This is log p(token), without a second [rows, vocabulary] tensor of log-probabilities.
    chosen = logits[index, picks] - sums.logsumexp(dim=-1)[index]
    tokens: list[int] = picks.tolist()
    for sequence, token, logprob in zip(sequences, tokens, chosen.tolist(), strict=True):
        sequence.push(token, min(logprob, 0.0) if not math.isnan(logprob) else logprob)
    return tokens


def _in_blocks(logits: Tensor) -> Tensor:
    """Reshape [rows, vocabulary] to [rows, blocks, BLOCK], with padding that is never drawn."""
    if short := -logits.shape[-1] % BLOCK:
        logits = nn.functional.pad(logits, (0, short), value=-torch.inf)
    return logits.view(*logits.shape[:-1], -1, BLOCK)


def _sums(blocks: Tensor) -> Tensor:
    """Return the log-sum-exp of every block: [rows, blocks]."""
    rows = ROWS_IN_CACHE if blocks.device.type == "cpu" else len(blocks)
    return torch.cat([part.logsumexp(dim=-1) for part in torch.split(blocks, rows)])


def _largest(blocks: Tensor) -> Tensor:
    """Return the likeliest token of every row.

    The search is by blocks, because a maximum is found faster than its place.
    """
    block = blocks.amax(dim=-1).argmax(dim=-1)
    rows = torch.arange(len(blocks), device=blocks.device)
    return block * BLOCK + blocks[rows, block].argmax(dim=-1)


def _drawn(blocks: Tensor, sums: Tensor, rows: Tensor, sequences: Sequence[Generated]) -> Tensor:
    """Draw a token for every sequence: first a block of the vocabulary, then a token of it.

    Both draws are by the Gumbel-max trick: rounding, which differs between batches, changes the
    token only if two perturbed logits are as good as equal. On a walk up the cumulative
    distribution, each of its thousands of steps is a place where rounding could. Two stages draw
    from the same distribution as a single stage would, and noise for every token of the vocabulary
    costs more than all else here.

    Args:
        blocks: The logits, [rows, blocks, BLOCK].
        sums: The log-sum-exp of each block, [rows, blocks].
        rows: The row of each sequence, [sequences].
        sequences: The sequences.
    """
    count = sums.shape[-1]
    noise = np.stack([sequence.noise(count + BLOCK) for sequence in sequences])
    gumbel = -torch.from_numpy(noise).clamp(min=1e-30).log().to(sums.device)
    rows = rows.to(sums.device)
    block = (sums[rows] + gumbel[:, :count]).argmax(dim=-1)
    within = (blocks[rows, block] + gumbel[:, count:]).argmax(dim=-1)
    return block * BLOCK + within
