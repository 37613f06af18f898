"""The probability of the option token that an answer chose."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

from slmroute_plugin.backends.contract import Question
from slmroute_plugin.observation import Missing


def choice_prob(
    question: Question, answer: str, logprob_at: Callable[[int], float]
) -> float | Missing:
    """Find the token with which an answer names its option, and return its probability.

    Args:
        question: the question; it knows where a reply names an option.
        answer: the text that is kept.
        logprob_at: gives the natural log-probability of the token that completes the
            character of the answer at an index.

    Returns:
        The probability, in [0, 1]; missing if the question has no options or the answer names
        none of them.
    """
    if question.kind == "free" or question.locate is None:
        return Missing("the question offers no options")
    span = question.locate(answer)
    if span is None:
        return Missing("the answer names no option")
    return exp(logprob_at(span.start))
