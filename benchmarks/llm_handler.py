"""The request handler of a server that stands in for an LLM."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any


class LlmHandler(BaseHTTPRequestHandler):
    """A handler of chat requests; a subclass decides on the replies."""

    def do_POST(self) -> None:
        """Read a request, and reply to its last message."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(body["messages"][-1]["content"])

    def reply(self, asked: str) -> None:
        """Reply to a message by `answer` or `send`."""
        raise NotImplementedError

    def answer(self, text: str, **further: Any) -> None:
        """Send a text as an LLM's answer, with further fields of the response."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.send(200, json.dumps({"choices": [choice], **further}).encode())

    def send(self, status: int, content: bytes) -> None:
        """Send a status and a body."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""
