"""A judge behind a real HTTP server, which reads the fields of its prompt and decides by them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = "sk-canary-2718281828"
_FIELD = re.compile(
    r"^(Question|Reference answers|Answers known to be wrong|Answer to grade): (.*)$"
)


def fields_of(prompt: str) -> dict[str, Any]:
    """The fields of the default prompt, each read as JSON; each must be there once."""
    found: dict[str, Any] = {}
    for line in prompt.split("\n"):
        if match := _FIELD.match(line):
            assert match[1] not in found
            found[match[1]] = json.loads(match[2])
    assert len(found) == 4
    return found


class JudgeServer:
    """Says CORRECT to answers that hold a reference answer, or what `says` makes of the prompt."""

    def __init__(self, http: HTTPServer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.says: Callable[[str], str | int] = self.by_reference
        self.url = http.url_for("/v1")
        http.expect_request("/v1/chat/completions").respond_with_handler(self._answer)

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.bodies]

    @property
    def graded(self) -> list[str]:
        return [fields_of(prompt)["Answer to grade"] for prompt in self.prompts]

    @staticmethod
    def by_reference(prompt: str) -> str:
        fields = fields_of(prompt)
        right = any(one in fields["Answer to grade"] for one in fields["Reference answers"])
        return "CORRECT" if right else "INCORRECT"

    def _answer(self, request: Request) -> Response:
        body = json.loads(request.data)
        self.bodies.append(body)
        said = self.says(body["messages"][-1]["content"])
        if isinstance(said, int):
            return Response(json.dumps({"error": {"message": f"no {KEY}"}}), status=said)
        message = {"role": "assistant", "content": said}
        return Response(
            json.dumps(
                {
                    "choices": [{"message": message, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 100, "completion_tokens": 1},
                }
            ),
            content_type="application/json",
        )
