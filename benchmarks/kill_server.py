"""A server that answers as an LLM would, in a process that outlives those that are killed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from multiprocessing import get_context
from typing import Any

from llm_handler import LlmHandler


class _Scripted(LlmHandler):
    """A handler that answers with a digest of the question, and takes its time."""

    def reply(self, asked: str) -> None:
        """Answer after a tenth of a second."""
        number = int(hashlib.sha256(asked.encode()).hexdigest()[:4], 16)
        time.sleep(0.1)
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        self.answer(f"The answer is {number}.", usage=usage)


def _serve(port: Any) -> None:
    """Serve for ever, after sending the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Scripted)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def scripted_server() -> Iterator[str]:
    """Run a server that answers as an LLM would within the block, and yield its URL."""
    context = get_context("fork")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.kill()
        process.join()
