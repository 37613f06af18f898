"""Real vLLM engines on the CPU, shared by tests; a process holds two of them at the most."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.backends.vllm.start_arguments import hidden_state_arguments

# Read when the package is imported. GiB of cache, for each engine.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

# Reads prompts of some hundred tokens; a cache block on a CPU is 128 tokens otherwise.
# A cache of 4096 tokens: several engines share the memory of one machine.
SMALL = {
    "max_model_len": 1024, "block_size": 32, "num_gpu_blocks_override": 128,
    "enforce_eager": True, "dtype": "float32",
}  # fmt: skip

MOST_ENGINES = 2
STARTED = pytest.StashKey[dict[str, Any]]()

StartEngine = Callable[..., Any]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """End all engines behind the last test of this folder, for what runs next in the process."""
    yield
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        engines = item.config.stash.get(STARTED, {})
        while engines:
            shut_down(engines.popitem()[1])


@pytest.fixture(scope="session")
def start_engine(pytestconfig: pytest.Config) -> StartEngine:
    """Starts an engine with lm-eval's class, or returns the one that was started like that.

    An engine takes 2 GB and more. A third one takes the place of the one that was last asked for
    the longest ago, so tests ask for an engine anew rather than keep it.
    """
    # A module of it, as this folder has the package's name and is on the path.
    pytest.importorskip("vllm.version", reason="vLLM is not installed (see make test-engines)")
    from lm_eval.models.vllm_causallms import VLLM

    started = pytestconfig.stash.setdefault(STARTED, {})

    def start(checkpoint: str, **options: Any) -> Any:
        name = repr((checkpoint, sorted(options.items())))
        if name in started:
            started[name] = started.pop(name)
        else:
            while len(started) >= MOST_ENGINES:
                shut_down(started.pop(next(iter(started))))
            started[name] = VLLM(checkpoint, batch_size="auto", **{**SMALL, **options})
        # What a test sets on it is the test's alone; the engine is shared.
        return copy.copy(started[name])

    return start


def shut_down(lm: Any) -> None:
    """End the processes of an engine."""
    lm.model.llm_engine.engine_core.shutdown()


@pytest.fixture
def plain_engine(start_engine: StartEngine, smollm_weights: str) -> Any:
    """SmolLM2 in float32, as a user starts it."""
    return start_engine(smollm_weights)


@pytest.fixture(scope="session")
def states_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder through which an engine hands out hidden states."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture
def states_engine(start_engine: StartEngine, smollm_weights: str, states_folder: Path) -> Any:
    """SmolLM2 in float32, with all its hidden states."""
    return start_engine(smollm_weights, **hidden_state_arguments(range(31), states_folder))


@pytest.fixture(scope="session")
def reference(smollm_weights: str) -> Any:
    """The same weights in lm-eval's class for transformers."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=smollm_weights, dtype="float32", device="cpu", batch_size=4)


@pytest.fixture(scope="session")
def taught(
    tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Mapping[str, str]], tuple[str, Any]]:
    """Teaches a tiny model replies; returns its folder, and lm-eval's model for transformers."""
    from taught_model import teach

    saved: dict[tuple[tuple[str, str], ...], tuple[str, Any]] = {}

    def make(replies: Mapping[str, str]) -> tuple[str, Any]:
        lesson = tuple(replies.items())
        if lesson not in saved:
            # vLLM's attention on CPUs takes heads of 32 numbers and more.
            lm = tiny("Llama", num_hidden_layers=4, hidden_size=64, num_attention_heads=2)
            teach(lm, replies)
            folder: Path = tmp_path_factory.mktemp("taught")
            lm.model.save_pretrained(folder)
            lm.tokenizer.save_pretrained(folder)
            saved[lesson] = (str(folder), lm)
        return saved[lesson]

    return make
