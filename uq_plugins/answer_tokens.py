"""What a model tells of the tokens of its answer, of which there must be any."""

from __future__ import annotations

from slmroute_plugin import (
    NoConfidence,
    Observation,
    TokenLogprobs,
    TokenStatistics,
    VocabularyStatistics,
)

_EMPTY = "the answer is empty"


def answer_logprobs(seen: Observation) -> tuple[float, ...]:
    """Return the natural log-probabilities of the answer's tokens, one or more.

    Raises:
        NoConfidence: If the answer is empty, or if they are not known.
    """
    logprobs = seen[TokenLogprobs()].logprobs
    if not logprobs:
        raise NoConfidence(_EMPTY)
    return logprobs


def answer_statistics(seen: Observation) -> VocabularyStatistics:
    """Return the statistics of the vocabulary at each of the answer's tokens, one or more.

    Raises:
        NoConfidence: If the answer is empty, or if they are not known.
    """
    statistics = seen[TokenStatistics()]
    if not statistics.entropy:
        raise NoConfidence(_EMPTY)
    return statistics
