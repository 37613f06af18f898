"""A request for a chat completion: what it asks for, and whether the SLM can be asked it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from slmroute_plugin.conversation import Message
from slmroute_plugin.serving.api_error import ApiError

Target = Literal["route", "slm", "llm"]

# Parameters that change nothing about a greedy answer of the SLM, or that are read here.
_READ = frozenset({"model", "messages", "stream", "stream_options", "n", "temperature", "stop"})
_LIMITS = ("max_completion_tokens", "max_tokens")
_NEUTRAL = frozenset(
    {
        *("top_p", "seed", "user", "metadata", "store", "service_tier", "safety_identifier"),
        *("prompt_cache_key", "parallel_tool_calls"),
    }
)
# Values of other parameters that ask for nothing.
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "logprobs": (False,),
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
}
_ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MESSAGE_KEYS = frozenset({"role", "content", "name", "refusal", "annotations"})


@dataclass(frozen=True)
class Defaults:
    """What holds where a request does not say.

    Attributes:
        max_tokens: The largest number of tokens of the SLM's answer.
        stops: The stop strings of the SLM's answer.
        any_temperature: Whether the SLM answers requests with a temperature too, greedily.
    """

    max_tokens: int
    stops: tuple[str, ...] = ()
    any_temperature: bool = False


@dataclass(frozen=True)
class ChatRequest:
    """A request for a chat completion.

    Attributes:
        body: The body, as the client sent it.
        target: Which model is to answer: `route` if the threshold decides.
        stream: Whether the answer is to be streamed.
        include_usage: Whether a stream is to end with the number of tokens.
        messages: The conversation, for the SLM.
        generation: lm-eval's generation settings, for the SLM.
        unsuited: Why the confidence cannot be told for this request; "" if it can.
    """

    body: Mapping[str, Any]
    target: Target
    stream: bool
    include_usage: bool
    messages: Sequence[Message]
    generation: Mapping[str, Any]
    unsuited: str


def read_chat_request(
    raw: bytes, force: str | None, targets: Mapping[str, Target], defaults: Defaults
) -> ChatRequest:
    """Read a request.

    Args:
        raw: The body.
        force: The value of the header `x-slmroute-force`; None if there is none.
        targets: The names of the models that the proxy has, and what each stands for.
        defaults: What holds where the request does not say.

    Raises:
        ApiError: If the request cannot be read; 404 if it names an unknown model.
    """
    body = _object(raw)
    target = _target(body, force, targets)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list of at least one message.")
    if not all(isinstance(message, dict) for message in messages):
        raise ApiError(400, "each of messages must be an object with a role and a content.")
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise ApiError(400, "stream must be true or false.")
    options = body.get("stream_options")
    include_usage = isinstance(options, dict) and options.get("include_usage") is True
    turns = [_turn(message) for message in messages]
    refusals = [each for each in turns if isinstance(each, str)]
    return ChatRequest(
        body=body,
        target=target,
        stream=stream is True,
        include_usage=include_usage,
        messages=[each for each in turns if not isinstance(each, str)],
        generation=_generation(body, defaults),
        unsuited=_unsuited(body, defaults) or _of_turns(refusals, turns),
    )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body is not a JSON object.")
    return body


def _not_json(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _target(body: Mapping[str, Any], force: str | None, targets: Mapping[str, Target]) -> Target:
    model = body.get("model")
    if not isinstance(model, str):
        raise ApiError(400, "model must be a text.")
    if model not in targets:
        raise unknown_model(model, targets)
    if force is None:
        return targets[model]
    if force == "slm":
        return "slm"
    if force == "llm":
        return "llm"
    raise ApiError(400, "x-slmroute-force must be slm or llm.")


def unknown_model(name: str, targets: Iterable[str]) -> ApiError:
    """Return the error for a model that the proxy does not have."""
    text = f"There is no model {name[:100]!r} here, but {', '.join(targets)}."
    return ApiError(404, text, code="model_not_found")


def _unsuited(body: Mapping[str, Any], defaults: Defaults) -> str:
    """Return the first parameter for which the SLM's confidence cannot be told; "" for none."""
    if body.get("n") not in (None, 1):
        return "n"
    temperature = body.get("temperature")
    if temperature not in (None, 0) and not defaults.any_temperature:
        return "temperature"
    for name, value in body.items():
        if value is None or name in _READ or name in _LIMITS or name in _NEUTRAL:
            continue
        if any(value == nothing for nothing in _NOTHING.get(name, ())):
            continue
        if name in ("functions", "function_call", "tool_choice"):
            return "tools"
        return name if _PLAIN_NAME.fullmatch(name) else "parameter"
    return ""


def _turn(message: Mapping[str, Any]) -> Message | str:
    """Return a message for the SLM, or why it cannot be shown to the SLM."""
    role, content = _ROLES.get(str(message.get("role"))), message.get("content")
    if role is None or any(
        value is not None and name not in _MESSAGE_KEYS for name, value in message.items()
    ):
        return "tools"
    if isinstance(content, list):
        parts = [part if isinstance(part, dict) else {} for part in content]
        if any(part.get("type") != "text" for part in parts):
            return "images"
        texts = [part.get("text") for part in parts]
        whole = all(isinstance(text, str) for text in texts)
        content = "\n".join(map(str, texts)) if whole else None
    if not isinstance(content, str):
        return "no_text"
    return Message(role=role, content=content)


def _of_turns(refusals: Sequence[str], turns: Sequence[Message | str]) -> str:
    if refusals:
        return refusals[0]
    last = turns[-1]
    if isinstance(last, str) or last["role"] != "user" or not last["content"].strip():
        return "last_message"
    return ""


def _generation(body: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """Return the generation settings of the SLM's answer, which is greedy.

    Raises:
        ApiError: If a limit of tokens or a stop string has the wrong type.
    """
    limit: Any = next((body[name] for name in _LIMITS if body.get(name) is not None), None)
    if limit is None:
        limit = defaults.max_tokens
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ApiError(400, "max_tokens must be a whole number of at least 1.")
    stop = body.get("stop")
    stops = list(defaults.stops) if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
        raise ApiError(400, "stop must be a text or a list of texts.")
    # An empty stop string would end every answer before its beginning.
    return {"until": list(filter(None, stops)), "max_gen_toks": limit, "do_sample": False}
