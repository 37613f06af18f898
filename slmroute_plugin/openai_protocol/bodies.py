"""The reading of a server's response body, which differs from server to server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slmroute_plugin.openai_protocol.answer_text import (
    check_complete,
    is_cut,
    mapping,
    reported,
    text_of,
    why_no_answer,
)
from slmroute_plugin.openai_protocol.encodable import encodable
from slmroute_plugin.openai_protocol.failures import BadBody

_THINKING_STOPPED = (
    "a stop string of the task ended the thinking before the answer began: "
    "take it away with generation: {stop: null}"
)
# Readers of JSON hold whole numbers exactly up to here.
_MOST = 2**53


class Body(NamedTuple):
    """The content of a chat completion: a text, or the reason why there is none.

    Attributes:
        text: The answer, with its thinking cut off; None if there is no answer.
        error: The reason why there is no answer; None if there is an answer.
        finish_reason: The server's reason for the end of the answer.
        prompt_tokens: The number of tokens of the prompt; None if the server states none.
        completion_tokens: The number of tokens of the answer; None if the server states none.
        logprobs: A mapping for each token of the whole answer, as the server sent them.
    """

    text: str | None
    error: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    logprobs: Sequence[Mapping[str, Any]] | None


def parse_body(text: str) -> Any:
    """Parse the JSON value that a server sent.

    Raises:
        BadBody: If the text is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadBody("the server's answer is not JSON") from None


def read_body(body: Any, think_end: str | None, stops: Sequence[str] = ()) -> Body:
    """Read the answer in a chat completion, from its first choice.

    Args:
        body: Any JSON value.
        think_end: The text behind which the answer begins, if it is there.
        stops: The texts before which the answer ends, if the server does not end it there.

    Raises:
        BadBody: If the value has no choices, is not a completion, or was broken off by the server;
            another attempt may help.
    """
    if not isinstance(body, dict):
        raise BadBody("the server's answer is not a JSON object")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadBody(f"the server's answer has no choices{reported(body)}")
    choice = choices[0]
    check_complete(choice, body)
    text, error = _answer(choice, think_end, stops)
    finish, tokens = choice.get("finish_reason"), stated_tokens(body)
    return Body(
        text,
        error,
        encodable(finish) if isinstance(finish, str) else None,
        tokens.prompt_tokens,
        tokens.completion_tokens,
        _logprobs(mapping(choice.get("logprobs")).get("content")),
    )


class StatedTokens(NamedTuple):
    """The numbers of tokens that a server states; None where it states none."""

    prompt_tokens: int | None
    completion_tokens: int | None


def stated_tokens(body: Any) -> StatedTokens:
    """Return the numbers of tokens that a reply, any JSON value, states under `usage`."""
    usage = mapping(mapping(body).get("usage"))
    return StatedTokens(*(token_count(usage.get(name)) for name in StatedTokens._fields))


def _answer(
    choice: Mapping[str, Any], think_end: str | None, stops: Sequence[str]
) -> tuple[str | None, str | None]:
    """Return the answer behind its thinking, or the reason why there is none."""
    text = text_of(mapping(choice.get("message")).get("content"))
    if text is not None and think_end:
        if think_end in text:
            text = text.rpartition(think_end)[2].lstrip()
        elif text.strip().startswith(think_end.replace("/", "", 1)):
            # It is thinking without an end: the tokens ran out, or it met a stop string.
            if not is_cut(choice):
                return None, _THINKING_STOPPED
            text = ""
    if text is not None:
        text = text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)]
    error = why_no_answer(choice, text, "max_tokens")
    return (None, error) if error is not None or text is None else (encodable(text), None)


def token_count(value: Any) -> int | None:
    """Return a number of tokens that a server states; None if it is not a credible number."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else None


def _logprobs(content: Any) -> Sequence[Mapping[str, Any]] | None:
    whole = isinstance(content, list) and all(_is_logprob(token) for token in content)
    return content if whole else None


def _is_logprob(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        return False
    value = entry.get("logprob")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) < _MOST  # neither infinity nor NaN is
