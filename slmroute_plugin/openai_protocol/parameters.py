"""The parameters that a model refuses, as those that think refuse temperature and stop strings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

# An answer without them is still an answer to the question.
_MAY_GO = frozenset(
    {
        *("temperature", "top_p", "stop", "seed", "frequency_penalty", "presence_penalty"),
        *("logit_bias", "logprobs", "top_logprobs", "top_k", "min_p"),
    }
)
# The two names of the limit of tokens: servers know one or both.
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
_SAYS_SO = re.compile(
    r"unsupported|not.{0,20}support|unrecognized|unknown|unexpected|not (allowed|permitted)",
    re.IGNORECASE,
)


def refused_parameter(error: Exception, sent: Collection[str]) -> str | None:
    """Return the parameter because of which a request was refused; None if it was not.

    Args:
        error: The exception of the package `openai`.
        sent: The names of the parameters that were sent. A parameter without which the answer
            would be another one is not returned.
    """
    from openai import BadRequestError, UnprocessableEntityError

    if not isinstance(error, (BadRequestError, UnprocessableEntityError)):
        return None
    candidates = [name for name in sent if name in _MAY_GO or name in _OTHER_NAME]
    text = str(error.body or error)
    if error.param in candidates and (error.code in _CODES or _SAYS_SO.search(text)):
        return error.param
    if error.param or not _SAYS_SO.search(text):
        return None
    # Some servers name it in the message alone. The first that is named is the one refused.
    places = {name: re.search(rf"['\"`]{name}['\"`]", text) for name in candidates}
    named = [(place.start(), name) for name, place in places.items() if place]
    return min(named)[1] if named else None


def without(parameters: Mapping[str, Any], refused: Collection[str]) -> dict[str, Any]:
    """Return the parameters without those that are refused; a limit of tokens gets its other name.

    >>> without({"temperature": 0.0, "max_tokens": 5}, {"temperature", "max_tokens"})
    {'max_completion_tokens': 5}
    """
    left = {name: value for name, value in parameters.items() if name not in refused}
    for name, other in _OTHER_NAME.items():
        if name in refused and name in parameters and other not in refused:
            left.setdefault(other, parameters[name])
    return left
