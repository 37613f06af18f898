"""The backend of the examples, installed as a stranger's package, keeps the contract."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from contract import BackendContract, Make, Subject
from lm_eval.api.model import LM
from numpy.typing import NDArray
from taught_model import teach

from slmroute_plugin.plugins import plugin_manager
from slmroute_plugin.signals import HiddenState, PromptStates

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "step_backend"


class Stepwise(LM):  # type: ignore[misc]
    """A model that tells the log-probabilities of its next token, and nothing else."""

    def __init__(self, inside: Any, think_end: str | None) -> None:
        super().__init__()
        self._inside = inside
        self.think_end = think_end
        self.tokenizer = inside.tokenizer
        weights = b"".join(one.numpy().tobytes() for one in inside.model.state_dict().values())
        self.fingerprint = hashlib.sha256(weights).hexdigest()

    def tok_encode(self, text: str) -> list[int]:
        """Encode a prompt."""
        return list(self._inside.tok_encode(text))

    def apply_chat_template(self, messages: Any, add_generation_prompt: bool = True) -> str:
        """Render a conversation."""
        return str(self._inside.apply_chat_template(messages))

    def next_logprobs(self, ids: Sequence[int]) -> NDArray[Any]:
        """The natural log-probability of each token of the vocabulary to come next."""
        with torch.no_grad():
            logits = self._inside.model(torch.tensor([list(ids)])).logits[0, -1].double()
        return logits.log_softmax(-1).numpy()

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Refuse: the backend generates."""
        raise NotImplementedError

    loglikelihood = loglikelihood_rolling = generate_until


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example as pip installs it, found by its entry point."""
    site = str(tmp_path_factory.mktemp("site"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(EXAMPLE)], check=True)
    sys.path.insert(0, site)
    plugin_manager.cache_clear()
    assert plugin_manager().has_plugin("step_backend")
    yield
    sys.path.remove(site)
    plugin_manager.cache_clear()


class TestExampleBackend(BackendContract):
    """The backend of `examples/step_backend`."""

    @pytest.fixture
    def make(self, tiny: Any, installed: None) -> Make:
        """Makes a tiny model that is taken token by token."""

        def made(think_end: str | None = None, replies: Mapping[str, str] | None = None) -> Subject:
            inside = tiny(num_hidden_layers=4)
            if replies:
                teach(inside, replies)
            refuses = frozenset({HiddenState, PromptStates})
            return Subject(Stepwise(inside, think_end), inside, refuses=refuses)

        return made
