"""The tokens whose hidden states a signal is about."""

from __future__ import annotations

from slmroute_plugin.signals import HiddenState


def state_tokens(signal: HiddenState, prompt: int, start: int, end: int) -> range:
    """Return the tokens whose states are averaged, a single one for a state at a token.

    Args:
        signal: The hidden state.
        prompt: The number of the prompt's tokens.
        start: The first token of the answer that is kept, counted from the answer's beginning.
        end: One past the last token that is kept; an empty answer has the token before it.

    >>> state_tokens(HiddenState(-8, "mean_answer"), prompt=10, start=0, end=3)
    range(10, 13)
    >>> state_tokens(HiddenState(-8, "mean_answer"), prompt=10, start=0, end=0)
    range(9, 10)
    """
    if signal.position == "last_prompt":
        return range(prompt - 1, prompt)
    if signal.position == "mean_answer" and start < end:
        return range(prompt + start, prompt + end)
    return range(prompt + end - 1, prompt + end)
