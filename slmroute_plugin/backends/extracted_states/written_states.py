"""Hidden states that the engine wrote for a sequence, as transformers would have them."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from slmroute_plugin.backends.extracted_states.layers import state_index
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import HiddenState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class WrittenStates:
    """The hidden states of the last tokens of a sequence.

    Attributes:
        states: [tokens, layers, d], as the engine has them.
        first: which token of the sequence the first of them belongs to.
    """

    states: torch.Tensor
    first: int

    @classmethod
    def taken(cls, path: Path, tokens: int) -> WrittenStates:
        """Read the file that the engine wrote for a sequence of so many tokens, and remove it.

        Raises:
            TimeoutError: the engine does not finish writing.
            OSError: the file cannot be read: it is cut off, or holds something else.
        """
        lock = path.with_name(f"{path.name}.lock")
        _wait_for(lock)
        try:
            states = load_file(path)["hidden_states"]
        except (SafetensorError, KeyError) as error:
            raise OSError(f"{path} holds no hidden states: {error}") from error
        for file in (path, lock):
            with suppress(FileNotFoundError):
                file.unlink()
        return cls(states, tokens - len(states))


def _wait_for(lock: Path) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while True:
        with suppress(BlockingIOError, FileNotFoundError), lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the engine has not written hidden states to {lock.with_suffix('')} within "
                f"{LONGEST_WAIT_S:.0f} s: is VLLM_ENABLE_V1_MULTIPROCESSING set to 0?"
            )
        time.sleep(0.002)


class StateReader:
    """Picks states out of what the engine wrote.

    Args:
        layers: the indices of the hidden states that the engine extracts, in its order.
        depth: the model's number of blocks; the state of this index is behind the final norm in
            transformers, and before it in what the engine writes.
        norm: that norm, made at first use; or why it cannot be had.
    """

    def __init__(
        self,
        layers: Sequence[int],
        depth: int,
        norm: Callable[[], Callable[[Any], Any] | Missing],
    ) -> None:
        self._places = {layer: place for place, layer in enumerate(layers)}
        self._depth = depth
        self._make_norm = norm
        self._norm: Callable[[Any], Any] | Missing | None = None

    def value(
        self, written: WrittenStates, signal: HiddenState, tokens: range
    ) -> NDArray[np.float32] | Missing:
        """Return the value of a signal: float32, [d], or [k, d] for a tuple of k layers.

        Args:
            written: what the engine wrote.
            signal: what is wanted.
            tokens: the tokens to average over, counted from the sequence's beginning.
        """
        own = written.states[tokens.start - written.first : tokens.stop - written.first]
        means = []
        for layer in signal.layers:
            states = self._as_transformers(own, state_index(layer, self._depth))
            if isinstance(states, Missing):
                return states
            means.append(states.mean(dim=0))
        return (torch.stack(means) if isinstance(signal.layer, tuple) else means[0]).numpy()

    def means(self, written: WrittenStates, tokens: int) -> NDArray[np.float32] | Missing:
        """Return every state, averaged over the first tokens: float32, [depth + 1, d]."""
        means = []
        for layer in range(self._depth + 1):
            states = self._as_transformers(written.states[:tokens], layer)
            if isinstance(states, Missing):
                return states
            means.append(states.mean(dim=0))
        return torch.stack(means).numpy()

    def _as_transformers(self, states: torch.Tensor, layer: int) -> torch.Tensor | Missing:
        """Return [..., d] of [..., layers, d], behind the final norm where transformers is."""
        state = states[..., self._places[layer], :].float()
        if layer < self._depth:
            return state
        if self._norm is None:
            self._norm = self._make_norm()
        return self._norm if isinstance(self._norm, Missing) else self._norm(state)
