"""Parameters that a model refuses: which one a refusal is about, and what is sent without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import openai
import pytest

from slmroute_plugin.openai_protocol.parameters import refused_parameter, without

SENT = ("temperature", "stop", "max_tokens", "top_p")


def refusal(error: Any, status: int = 400) -> openai.APIStatusError:
    """The exception of the package for a response with this error."""
    kinds = {400: openai.BadRequestError, 422: openai.UnprocessableEntityError}
    response: Any = SimpleNamespace(request=None, status_code=status, headers={})
    kind = kinds.get(status, openai.InternalServerError)
    return kind(str(error), response=response, body=error)


REFUSALS: dict[str, tuple[Any, str | None]] = {
    "OpenAI's, of a value": (
        {
            "message": "Unsupported value: 'temperature' does not support 0.0 with this model. "
            "Only the default (1) value is supported.",
            "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value",
        },
        "temperature",
    ),
    "OpenAI's, of a parameter": (
        {
            "message": "Unsupported parameter: 'stop' is not supported with this model.",
            "type": "invalid_request_error", "param": "stop", "code": "unsupported_parameter",
        },
        "stop",
    ),
    "OpenAI's, of the limit": (
        {
            "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            "param": "max_tokens", "code": "unsupported_parameter",
        },
        "max_tokens",
    ),
    "in words alone": ({"message": "the parameter `stop` is not supported by o3"}, "stop"),
    "pydantic's": ({"message": "[{'loc': ('body', 'top_p'), 'msg': 'not permitted'}]"}, "top_p"),
    "of a value that is too large": (
        {"message": "max_tokens is too large: 99999", "param": "max_tokens", "code": "invalid"},
        None,
    ),
    "of the prompt": ({"message": "the prompt is too long", "param": "messages"}, None),
    "of what was not sent": (
        {"message": "Unsupported parameter: 'seed'", "param": "seed",
         "code": "unsupported_parameter"},
        None,
    ),
    "of the model": ({"message": "this model is not supported", "param": "model"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_its_parameter(name: str) -> None:
    error, expected = REFUSALS[name]
    assert refused_parameter(refusal(error), SENT) == expected


def test_other_errors_are_about_no_parameter() -> None:
    error = REFUSALS["OpenAI's, of a parameter"][0]
    assert refused_parameter(refusal(error, 500), SENT) is None
    assert refused_parameter(TimeoutError("'stop' is not supported"), SENT) is None


def test_the_limit_of_tokens_is_sent_under_its_other_name() -> None:
    sent = {"stop": ["."], "max_tokens": 5}
    assert without(sent, {"stop", "max_tokens"}) == {"max_completion_tokens": 5}
    assert without({"max_completion_tokens": 5}, {"max_completion_tokens"}) == {"max_tokens": 5}
    assert without(sent, {"max_tokens", "max_completion_tokens"}) == {"stop": ["."]}
