"""The SLM's answer in the form of OpenAI's API: a completion, or the events of a stream."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from slmroute_plugin.observation import Answer
from slmroute_plugin.openai_protocol.encodable import encodable

# White space goes with the word before it.
_PIECES = re.compile(r"\S*\s*")
DONE = "data: [DONE]\n\n"


def completion(
    answer: Answer, request_id: str, model: str, generation: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the body of a chat completion.

    Args:
        answer: The SLM's answer.
        request_id: The id of the request.
        model: The name of the SLM.
        generation: The generation settings that the answer was made by.
    """
    message = {"role": "assistant", "content": encodable(answer), "refusal": None}
    finish = _finish_reason(answer, generation)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**_head(request_id, model, "chat.completion"), "choices": [choice], **_usage(answer)}


def events(
    answer: Answer,
    request_id: str,
    model: str,
    generation: Mapping[str, Any],
    include_usage: bool,
) -> Iterator[str]:
    """Yield the server-sent events of a stream, a word in each.

    Args:
        answer: The SLM's answer.
        request_id: The id of the request.
        model: The name of the SLM.
        generation: The generation settings that the answer was made by.
        include_usage: Whether the stream ends with the number of tokens.
    """
    head = _head(request_id, model, "chat.completion.chunk")

    def event(delta: Mapping[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sent({**head, "choices": [choice]})

    yield event({"role": "assistant", "content": ""})
    for piece in _PIECES.findall(encodable(answer)):
        if piece:
            yield event({"content": piece})
    yield event({}, _finish_reason(answer, generation))
    if include_usage:
        yield sent({**head, "choices": [], **_usage(answer)})
    yield DONE


def sent(data: Mapping[str, Any]) -> str:
    """Return a server-sent event that holds JSON."""
    return f"data: {json.dumps(data)}\n\n"


def _head(request_id: str, model: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{request_id}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _counts(answer: Answer) -> Mapping[str, int]:
    counts: Mapping[str, int] = answer.work.get("work/answer", {})
    return counts


def _usage(answer: Answer) -> dict[str, Any]:
    """Return the numbers of tokens; nothing where the backend cannot tell."""
    counts = _counts(answer)
    if not counts:
        return {}
    read, generated = counts["read"] + counts["cached"], counts["generated"]
    usage = {
        "prompt_tokens": read,
        "completion_tokens": generated,
        "total_tokens": read + generated,
    }
    return {"usage": usage}


def _finish_reason(answer: Answer, generation: Mapping[str, Any]) -> str:
    generated = _counts(answer).get("generated", 0)
    return "length" if generated == generation["max_gen_toks"] else "stop"
