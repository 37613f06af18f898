"""The hooks that catch what is wanted of a forward pass, and keep no more than that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Catch:
    """A list of what the hooks of one forward pass are to catch, and what they caught, by state.

    Attributes:
        at: The position of each row at which to catch, [rows].
        states: The indices of the hidden states to catch there.
        mean_over: The tokens over which to average all states, [rows, tokens], bool; None for no
            averages.
        hidden: The hidden states that were caught, [rows, d], by index.
        means: The averages, [rows, d], by index; None for a state that is not one vector for each
            token.
    """

    at: Tensor
    states: AbstractSet[int]
    mean_over: Tensor | None
    hidden: dict[int, Tensor] = field(default_factory=dict)
    means: dict[int, Tensor | None] = field(default_factory=dict)

    def see(self, state: int, states: Tensor) -> None:
        """Take what is wanted from the hidden states of an index, [rows, tokens, d]."""
        if state in self.states and states.dim() == 3:
            self.hidden[state] = at_positions(states, self.at)[:, 0]
        if self.mean_over is not None:
            self.means[state] = mean_state(states, self.mean_over)

    def every_mean(self, count: int) -> Tensor | None:
        """Return the averages of the first `count` states, [rows, count, d]; None if incomplete."""
        return stacked_means([self.means.get(state) for state in range(count)])


@contextmanager
def narrowed(head: nn.Module, catch: Catch, last: int) -> Iterator[None]:
    """Let the output head see one position per row in a `with` block, and catch what it reads.

    Args:
        head: The output head.
        catch: What to catch, and the position of each row.
        last: The index of the hidden state that the head reads.
    """

    def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not args or args[0].dim() != 3:
            return None
        catch.see(last, args[0])
        return (at_positions(args[0], catch.at), *args[1:])

    handle = head.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def caught_at(layer: nn.Module, catch: Catch, state: int) -> Iterator[None]:
    """Catch the input of a decoder layer, the hidden state of its index, in a `with` block."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        catch.see(state, args[0] if args else kwargs["hidden_states"])

    handle = layer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def at_positions(states: Tensor, at: Tensor) -> Tensor:
    """Select each row's state at its position: from [rows, tokens, d] to [rows, 1, d]."""
    rows = torch.arange(states.shape[0], device=states.device)
    return states[rows, at.to(states.device)].unsqueeze(1)


def mean_state(states: Tensor, over: Tensor) -> Tensor | None:
    """Average states [rows, tokens, d] over tokens: [rows, d], float32.

    The result is None if there is not one vector for each token.
    """
    if states.shape[:-1] != over.shape:
        return None
    over = over.to(states.device)
    # Padding is filled rather than multiplied by 0, because it may be infinite.
    total = states.masked_fill(~over[:, :, None], 0).sum(dim=1, dtype=torch.float32)
    return total / over.sum(dim=1, keepdim=True)


def stacked_means(means: Sequence[Tensor | None]) -> Tensor | None:
    """Stack averages, each [rows, d], to [rows, states, d] on the CPU.

    The result is None if an average is missing or has another width.
    """
    there = [mean for mean in means if mean is not None]
    if len(there) < len(means) or len({mean.shape for mean in there}) != 1:
        return None
    # The layers of a large model may be on several devices.
    return torch.stack([mean.to(there[0].device) for mean in there], dim=1).cpu()
