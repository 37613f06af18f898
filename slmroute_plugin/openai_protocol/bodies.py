"""The reading of a server's response body, which differs from server to server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from slmroute_plugin.openai_protocol.failures import BadBody

_LONGEST_QUOTE = 200
_MOST_TOKENS = 2**53


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


def read_body(body: Any, think_end: str | None) -> Body:
    """Read the answer in a chat completion, from its first choice.

    Args:
        body: Any JSON value.
        think_end: The text behind which the answer begins, if it is there.

    Raises:
        BadBody: If the value has no choices or is not a completion; another attempt may help.
    """
    if not isinstance(body, dict):
        raise BadBody("the server's answer is not a JSON object")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadBody(f"the server's answer has no choices{_reported(body)}")
    choice = choices[0]
    finish = choice.get("finish_reason")
    finish = _encodable(finish) if isinstance(finish, str) else None
    text, error = _answer(_mapping(choice.get("message")), finish, think_end)
    usage = _mapping(body.get("usage"))
    return Body(
        text,
        error,
        finish,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _logprobs(_mapping(choice.get("logprobs")).get("content")),
    )


def _reported(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return f": {_quote(message)}" if message else ""


def _answer(
    message: Mapping[str, Any], finish: str | None, think_end: str | None
) -> tuple[str | None, str | None]:
    content = _text(message.get("content"))
    if finish == "content_filter":
        return None, "the server's content filter stopped the answer"
    if message.get("refusal"):
        return None, f"the model refused: {_quote(message['refusal'])}"
    if content is None:
        return None, f"the answer has no text (finish_reason {finish})"
    if think_end and think_end in content:
        content = content.rpartition(think_end)[2].lstrip()
    if finish == "length" and _is_before_answer(content, think_end):
        return None, "the tokens ran out before the answer began: raise max_tokens"
    return content, None


def _text(content: Any) -> str | None:
    if isinstance(content, list):
        # Some servers send parts, among them the model's thinking.
        parts = [_mapping(part) for part in content]
        texts = [part.get("text") for part in parts if part.get("type") == "text"]
        content = "".join(text for text in texts if isinstance(text, str)) if texts else None
    return _encodable(content) if isinstance(content, str) else None


def _is_before_answer(content: str, think_end: str | None) -> bool:
    started = content.strip()
    return not started or bool(think_end and started.startswith(think_end.replace("/", "", 1)))


def _quote(value: Any) -> str:
    return _encodable(" ".join(str(value).split()))[:_LONGEST_QUOTE]


def _encodable(text: str) -> str:
    # JSON can hold half a surrogate pair, and no file can.
    return text.encode("utf-8", "replace").decode("utf-8")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST_TOKENS else None


def _logprobs(content: Any) -> Sequence[Mapping[str, Any]] | None:
    whole = isinstance(content, list) and all(_is_logprob(token) for token in content)
    return content if whole else None


def _is_logprob(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        return False
    value = entry.get("logprob")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) < _MOST_TOKENS and isfinite(value)
