"""A server that others wrote, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 600


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[str]:
    """Start a server that takes `--host` and `--port`; its URL, once it answers.

    Args:
        command: the program and its options, without host and port.
        folder: an empty one, for its log and for a cache of the Hub's.

    Raises:
        AssertionError: it ended, or does not answer; with the end of its log.
    """
    port = free_port()
    log = folder / "log"
    # Some list the models in the Hub's cache, which need not be there. One thread each: threads
    # that wait for each other are slow where processes share the cores.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_CACHE": str(folder),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    url = f"http://127.0.0.1:{port}/v1"
    with log.open("w") as said:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=said,
            stderr=said,
            env=environment,
        )
        try:
            _wait_for(process, f"{url}/models", log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])
