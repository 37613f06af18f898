"""Which of a model's hidden states a signal means, and whether an engine hands them out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slmroute_plugin.signals import HiddenState, PromptStates


def state_index(layer: int, depth: int) -> int:
    """Return the index of a hidden state among the `depth` + 1 that a model has.

    >>> state_index(-8, 30)
    23
    """
    return min(max(layer if layer >= 0 else depth + 1 + layer, 0), depth)


def absent_states(
    signal: HiddenState | PromptStates, layers: Collection[int], depth: int
) -> str | None:
    """Say which states of a signal an engine does not hand out; None if it hands out all.

    Args:
        signal: what is wanted.
        layers: indices of the hidden states that the engine hands out.
        depth: the model's number of blocks.

    >>> absent_states(HiddenState(-1), {23}, 30)
    '30 of 0 to 30'
    """
    asked: Sequence[int] = range(depth + 1)
    if isinstance(signal, HiddenState):
        asked = [state_index(layer, depth) for layer in signal.layers]
    absent = [layer for layer in asked if layer not in layers]
    if not absent:
        return None
    which = ", ".join(map(str, absent))
    if isinstance(signal, PromptStates) and len(absent) > 1:
        which = f"{absent[0]} to {absent[-1]}"
    return f"{which} of 0 to {depth}"


def start_command(signal: HiddenState | PromptStates, model: str) -> str:
    """Return the command that prints how to start an engine for a signal."""
    options = "--prompt-states"
    if isinstance(signal, HiddenState):
        options = " ".join(f"--layer {layer}" for layer in signal.layers)
    return f"slmroute vllm-args {model} {options}"
