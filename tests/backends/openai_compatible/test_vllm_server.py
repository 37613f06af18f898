"""A real `vllm serve` on the CPU: ids of tokens, given tokens, hidden states in a folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import slmroute
from real_server import running

from slmroute_plugin import Missing
from slmroute_plugin.backends import Question, Span
from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Samples,
    Signal,
    TokenLogprobs,
)

pytestmark = pytest.mark.slow

WORDS = NextTokenProbs("Is '{answer}' right? True or False?\nIt is:", ("True", "False"))
SURE = Reply("How sure are you, in percent?", max_tokens=6)
STATES = (HiddenState(), HiddenState(-1, "last_prompt"), PromptStates())
TEXTS = (
    "What is the capital of France? Reply with one word.",
    "Tom has 3 apples and buys 4 more. How many apples does he have? Explain in short.",
    "Name three colours.",
)
OPTIONS = (
    "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024", "--block-size", "32",
    "--num-gpu-blocks-override", "128",
)  # fmt: skip


@pytest.fixture(scope="module")
def serve(
    smollm_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Sequence[str]], Any]:
    """Starts `vllm serve` with SmolLM2 and further options; a context manager with its URL."""
    pytest.importorskip("vllm.version", reason="vLLM is not installed (see make test-engines)")
    program = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve"]

    def start(options: Sequence[str]) -> Any:
        return running([*program, *options, *OPTIONS], tmp_path_factory.mktemp("server"))

    return start


@pytest.fixture(scope="module")
def states_url(
    serve: Callable[[Sequence[str]], Any],
    smollm_weights: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A server that was started as `slmroute vllm-args --serve` prints."""
    folder = str(tmp_path_factory.mktemp("shared"))
    options = ["--layer", "-8", "--prompt-states", "--dtype", "float32", "--folder", folder]
    printed = slmroute("vllm-args", smollm_weights, *options, "--serve")
    assert printed.exit_code == 0, printed.output
    with serve(shlex.split(printed.stdout)) as url:
        yield url


@pytest.fixture(scope="module")
def reference(smollm_weights: str) -> Any:
    """The same weights in lm-eval's class for transformers."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=smollm_weights, dtype="float32", device="cpu", batch_size=4)


def asked(lm: Any, until: Sequence[str] = ("\n\n",)) -> list[Question]:
    return [
        Question(
            prompt=lm.apply_chat_template([{"role": "user", "content": text}]),
            text=text,
            kind="choice",
            generation={"until": list(until), "max_gen_toks": 12},
            chat=True,
            messages=[{"role": "user", "content": text}],
            locate=lambda reply: Span(0, 1) if reply else None,
        )
        for text in TEXTS
    ]


@pytest.fixture
def served(remote: Any, smollm_weights: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes lm-eval's model of what a server serves, with the model's tokenizer at hand."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def make(url: str, chat: bool = True) -> Any:
        return remote(
            chat=chat,
            base_url=f"{url}/{'chat/' if chat else ''}completions",
            model=smollm_weights,
            tokenizer=smollm_weights,
            tokenizer_backend="huggingface",
        )

    return make


def expected(reference: Any, questions: Sequence[Question], signals: frozenset[Signal[Any]]) -> Any:
    seen = backend_for(reference).observe(questions, signals, 0)
    return {one.index: one for one in seen}


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_hidden_states_over_http_are_those_of_the_white_box(
    states_url: str, served: Any, reference: Any, observe: Any, chat: bool
) -> None:
    lm = served(states_url, chat)
    backend = openai_compatible_backend(lm)
    assert backend is not None
    assert [backend.refuses(signal) for signal in STATES] == [None] * 3
    signals = frozenset({TokenLogprobs(), ChoiceProb(), SURE, *STATES})
    # Answers that end at a stop string, and some that end at the limit.
    questions = [*asked(reference), *asked(reference, ["e"])[:2]]
    known = expected(reference, questions, signals)
    for one in observe(lm, questions, signals):
        seen, own = one.observation, known[one.index].observation
        assert seen.answer == own.answer
        if not seen.answer:
            continue
        assert one.tokens.ids == known[one.index].tokens.ids
        assert one.tokens.logprobs == pytest.approx(known[one.index].tokens.logprobs, abs=2e-3)
        assert seen[ChoiceProb()] == pytest.approx(own[ChoiceProb()], abs=2e-3)
        assert seen[SURE] == own[SURE]
        for signal in STATES:
            assert seen[signal].shape == own[signal].shape
            norm = np.linalg.norm(own[signal])
            assert np.linalg.norm(seen[signal] - own[signal]) < 1e-3 * norm


def test_a_server_for_hidden_states_on_a_cpu_draws_nothing(states_url: str, served: Any) -> None:
    backend = openai_compatible_backend(served(states_url))
    assert backend is not None
    assert "draws wrongly" in (backend.refuses(Samples()) or "")


def test_what_the_server_wrote_is_removed(
    states_url: str, served: Any, reference: Any, observe: Any, tmp_path_factory: Any
) -> None:
    observe(served(states_url), asked(reference)[:1], {HiddenState()})
    folders = Path(tmp_path_factory.getbasetemp()).glob("shared*")
    assert not [file for folder in folders for file in folder.rglob("*.safetensors")]


@pytest.fixture(scope="module")
def plain_url(serve: Callable[[Sequence[str]], Any], smollm_weights: str) -> Iterator[str]:
    """A server as a user starts it."""
    with serve([smollm_weights]) as url:
        yield url


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_signals_of_a_plain_server_are_those_of_the_white_box(
    plain_url: str, served: Any, reference: Any, observe: Any, chat: bool
) -> None:
    lm = served(plain_url, chat)
    signals = frozenset({TokenLogprobs(), ChoiceProb(), WORDS, SURE})
    questions = [*asked(reference), *asked(reference, ["e"])[:2]]
    known = expected(reference, questions, signals)
    for one in observe(lm, questions, signals | {Samples(3)}):
        seen, own = one.observation, known[one.index].observation
        assert seen.answer == own.answer
        if not seen.answer:
            continue
        # The tokens' ids are the server's own, and the words' probabilities are exact.
        assert one.tokens.ids == known[one.index].tokens.ids
        assert one.tokens.logprobs == pytest.approx(known[one.index].tokens.logprobs, abs=2e-3)
        assert seen[ChoiceProb()] == pytest.approx(own[ChoiceProb()], abs=2e-3)
        assert seen[SURE] == own[SURE]
        for word in WORDS.words:
            assert seen[WORDS][word] == pytest.approx(own[WORDS][word], rel=2e-2)
        drawn = seen[Samples(3)]
        assert len(drawn) == 3
        again = next(iter(observe(lm, [questions[one.index]], {Samples(3)})))
        assert again.observation[Samples(3)] == drawn


def test_a_plain_server_has_no_hidden_states_and_says_what_it_takes(
    plain_url: str, served: Any, reference: Any, observe: Any
) -> None:
    lm = served(plain_url)
    backend = openai_compatible_backend(lm)
    assert backend is not None
    why = backend.refuses(HiddenState())
    assert why is not None and "was not started for hidden states" in why
    assert "vllm-args" in why and "--layer -8 --serve" in why
    (one,) = observe(lm, asked(reference)[:1], {HiddenState()})
    assert isinstance(one.observation.signals[HiddenState()], Missing)
