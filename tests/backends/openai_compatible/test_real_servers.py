"""SmolLM2 behind servers that others wrote; each is skipped where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_server import running

from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.plugins.backends import backend_for
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


@dataclass(frozen=True)
class Server:
    """A server in a process of its own.

    Attributes:
        name: of the program.
        url: where it serves the OpenAI protocol.
        model: the model's name there.
        gives_logprobs: whether it serves token log-probabilities at all.
    """

    name: str
    url: str
    model: str
    gives_logprobs: bool


def llama_cpp(request: pytest.FixtureRequest) -> tuple[list[str], str]:
    model = str(Path(request.getfixturevalue("smollm_folder")) / GGUF)
    return [
        sys.executable, "-m", "llama_cpp.server", "--model", model, "--logits_all", "true",
        "--n_ctx", "1024", "--n_threads", "1",
    ], model  # fmt: skip


def transformers_serve(request: pytest.FixtureRequest) -> tuple[list[str], str]:
    model = request.getfixturevalue("smollm_weights")
    return [
        sys.executable, "-m", "transformers.cli.transformers", "serve", model,
        "--device", "cpu",
    ], model  # fmt: skip


SERVERS = {
    "llama.cpp": (llama_cpp, ("llama_cpp", "uvicorn"), True),
    "transformers": (transformers_serve, ("fastapi", "uvicorn"), False),
}


@pytest.fixture(scope="module", params=SERVERS)
def real_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each server that is installed."""
    command, packages, gives_logprobs = SERVERS[request.param]
    for needed in packages:
        if not is_installed(needed):
            pytest.skip(f"the server of {request.param} is not installed ({needed})")
    arguments, model = command(request)
    with running(arguments, tmp_path_factory.mktemp("server")) as url:
        yield Server(request.param, url, model, gives_logprobs)


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_a_real_server_serves_what_it_gives(
    real_server: Server,
    remote: Any,
    observe: Any,
    ask: Any,
    every: Any,
    request: pytest.FixtureRequest,
) -> None:
    lm = remote(
        base_url=f"{real_server.url}/chat/completions", model=real_server.model, num_concurrent=1
    )
    backend = openai_compatible_backend(lm)
    assert backend is not None
    refused = {signal: reason for signal in every if (reason := backend.refuses(signal))}
    if real_server.gives_logprobs:
        assert not refused
    else:
        assert set(map(type, refused)) == {TokenLogprobs, ChoiceProb, NextTokenProbs}
        assert all("log-prob" in reason or "logprobs" in reason for reason in refused.values())
    served = every - refused.keys()
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
    signals = {TokenLogprobs(), ChoiceProb()} if real_server.gives_logprobs else set()
    agrees_with_the_white_box(lm, questions, signals, observe, request.getfixturevalue("smollm"))


def agrees_with_the_white_box(
    lm: Any, questions: Any, signals: Any, observe: Any, smollm: Any
) -> None:
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
        if not signals:
            continue
        # llama.cpp computes with rounded activations.
        assert seen[TokenLogprobs()].logprobs == pytest.approx(
            own[TokenLogprobs()].logprobs, abs=0.15
        )
        assert seen[ChoiceProb()] == pytest.approx(own[ChoiceProb()], abs=0.05)
