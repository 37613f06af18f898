"""SmolLM2 behind servers that others wrote; each is skipped where it is not installed."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.backends import backend_for
from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.signals import (
    ChoiceProb,
    NextTokenProbs,
    Reply,
    Restated,
    Samples,
    TokenLogprobs,
)

pytestmark = pytest.mark.slow

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
TEXT = "What is the capital of France? Reply with one word."


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def llama_cpp(model: Path, port: int) -> list[str]:
    return [
        sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--logits_all", "true",
        "--n_ctx", "1024", "--port", str(port), "--n_threads", "1",
    ]  # fmt: skip


SERVERS: dict[str, tuple[str, Callable[[Path, int], list[str]]]] = {
    "llama.cpp": ("llama_cpp", llama_cpp),
}


@pytest.fixture(scope="module", params=SERVERS)
def real_server(
    request: pytest.FixtureRequest, smollm_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, str]]:
    """Name of a server in a process of its own, its base URL, and the model's name there."""
    package, command = SERVERS[request.param]
    for needed in (package, "uvicorn"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"the server of {request.param} is not installed ({needed})")
    port = free_port()
    model = Path(smollm_folder) / GGUF
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as said:
        process = subprocess.Popen(command(model, port), stdout=said, stderr=said)
        try:
            wait_for(process, f"http://127.0.0.1:{port}/v1/models", log)
            yield request.param, f"http://127.0.0.1:{port}/v1", str(model)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def test_a_real_server_serves_what_it_gives(
    real_server: tuple[str, str, str],
    remote: Any,
    observe: Any,
    ask: Any,
    every: Any,
    request: pytest.FixtureRequest,
) -> None:
    _, url, model = real_server
    lm = remote(base_url=f"{url}/chat/completions", model=model, num_concurrent=1)
    backend = openai_compatible_backend(lm)
    assert backend is not None
    served = {signal for signal in every if backend.refuses(signal) is None}
    assert served == every
    questions = [ask(TEXT, generation={"until": [], "max_gen_toks": 6})]
    for one in observe(lm, questions, served):
        seen = one.observation
        assert seen.answer
        assert len(seen[Samples(3)]) == 3
        for signal in served:
            if isinstance(signal, (Reply, Restated)):
                assert seen[signal]
            if isinstance(signal, NextTokenProbs):
                assert 0 < seen[signal]["True"] < 1
    agrees_with_the_white_box(lm, questions, observe, request.getfixturevalue("smollm"))


def agrees_with_the_white_box(lm: Any, questions: Any, observe: Any, smollm: Any) -> None:
    signals = {TokenLogprobs(), ChoiceProb()}
    known = [
        type(one)(
            prompt=smollm.apply_chat_template(list(one.messages)),
            text=one.text,
            kind=one.kind,
            generation=one.generation,
            locate=one.locate,
        )
        for one in questions
    ]
    expected = {
        one.index: one.observation for one in backend_for(smollm).observe(known, signals, 0)
    }
    for one in observe(lm, questions, signals):
        seen, own = one.observation, expected[one.index]
        assert seen.answer == own.answer
        # llama.cpp computes with rounded activations.
        assert seen[TokenLogprobs()].logprobs == pytest.approx(
            own[TokenLogprobs()].logprobs, abs=0.15
        )
        assert seen[ChoiceProb()] == pytest.approx(own[ChoiceProb()], abs=0.05)
