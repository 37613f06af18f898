"""A server that answers as an LLM would, in a process that outlives those that are killed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from typing import Any


class _Scripted(BaseHTTPRequestHandler):
    """Answers with a digest of the question, and takes its time."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = body["messages"][-1]["content"]
        number = int(hashlib.sha256(asked.encode()).hexdigest()[:4], 16)
        time.sleep(0.1)
        message = {"role": "assistant", "content": f"The answer is {number}."}
        reply = {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        }
        sent = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def _serve(port: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Scripted)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def scripted_server() -> Iterator[str]:
    """The URL of a server that answers as an LLM would."""
    context = get_context("fork")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.kill()
        process.join()
