"""Observations of sampled answers, as methods are handed them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmroute_plugin import Observation, Sample, Samples, TokenLogprobs, Tokens
from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring import Reference, rule
from slmroute_plugin.scoring.final_answers import FinalAnswers


def sample(text: str, *logprobs: float) -> Sample:
    """A sampled answer with the log-probabilities of its tokens."""
    return Sample(text, Tokens(tuple(range(len(logprobs))), tuple(logprobs)))


def observed(
    method: Any,
    answer: str,
    samples: Sequence[str],
    *,
    logprobs: Sequence[float] = (),
    scoring: str | None = None,
    options: Sequence[str] = (),
    **signals: Any,
) -> Observation:
    """An observation with a value for each of the method's signals.

    Args:
        method: The method.
        answer: The greedy answer.
        samples: The samples.
        logprobs: The log-probabilities of the answer's tokens.
        scoring: The name of the rule; None to compare whole texts.
        options: The texts of the options of a choice.
        signals: Further values, by the name of the signal's type.
    """
    values: dict[Any, Any] = {}
    for signal in method.asks:
        if isinstance(signal, Samples):
            values[signal] = tuple(samples)
        elif isinstance(signal, TokenLogprobs):
            values[signal] = Tokens(tuple(range(len(logprobs))), tuple(logprobs))
        else:
            values[signal] = signals[type(signal).__name__]
    kind: AnswerKind = rule(scoring).kind if scoring else "free"
    reader = None
    if scoring:
        reader = FinalAnswers(rule(scoring), Reference(("no target",), tuple(options)))
    return Observation("q", answer, kind, values, reader)
