"""Models behind a real HTTP server on 127.0.0.1, and lm-eval's models that ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
from scripted_server import KEY, ScriptedServer

from slmroute_plugin.backends import Observed, Question, Span
from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.signals import (
    ChoiceProb,
    NextTokenProbs,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
)

P_TRUE = NextTokenProbs("Proposed: {answer}\nTrue or False?\nIt is:", ("True", "False"))
SURE = Reply("How sure are you, in percent?", max_tokens=6)
RESTATED = Restated("Then say how sure you are.", extra_tokens=4)
EVERY = frozenset({TokenLogprobs(), ChoiceProb(), Samples(3), P_TRUE, SURE, RESTATED})


def ask(text: str, chat: bool = True, **changes: Any) -> Question:
    """A question with a choice for an answer, whose first letter names the option."""
    more = f"{text}\n\n{RESTATED.instruction}"
    messages = [{"role": "user", "content": text}]
    given: dict[str, Any] = {
        "prompt": JsonChatStr(json.dumps(messages)) if chat else text,
        "text": text,
        "kind": "choice",
        "generation": {"until": ["\n\n"], "max_gen_toks": 12},
        "chat": chat,
        "restated": {RESTATED: more},
        "messages": messages,
        "restated_text": {RESTATED: more},
        "locate": lambda reply: Span(0, 1) if reply else None,
    }
    return Question(**(given | changes))


@pytest.fixture(name="ask")
def ask_fixture() -> Callable[..., Question]:
    """Makes a question from a text."""
    return ask


@pytest.fixture
def every() -> frozenset[Signal[Any]]:
    """All signals that text and log-probabilities give."""
    return EVERY


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that listens; a key for it is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    scripted = ScriptedServer()
    scripted.start()
    yield scripted
    scripted.stop()


@pytest.fixture
def canary() -> str:
    """The key that is in the environment beside `server`."""
    return KEY


@pytest.fixture
def remote(server: ScriptedServer) -> Callable[..., Any]:
    """Makes lm-eval's models of what the server serves."""

    def make(chat: bool = True, **arguments: Any) -> Any:
        kind = LocalChatCompletion if chat else LocalCompletionsAPI
        given = {"model": "any", "num_concurrent": 4, "tokenizer_backend": None}
        path = "/chat/completions" if chat else "/completions"
        return kind(**(given | {"base_url": server.url + path, **arguments}))

    return make


@pytest.fixture
def observe() -> Callable[..., list[Observed]]:
    """Asks questions of a model, waiting briefly after failures; what was seen, in order."""

    def run(
        lm: Any, questions: Sequence[Question], signals: Iterable[Signal[Any]] = EVERY
    ) -> list[Observed]:
        backend = openai_compatible_backend(lm, back_off_s=0.001)
        assert backend is not None
        seen = {one.index: one for one in backend.observe(questions, set(signals), 0)}
        assert sorted(seen) == list(range(len(questions)))
        return [seen[index] for index in range(len(questions))]

    return run


def chat_logprobs(tokens: Sequence[tuple[str, float]], *likely: tuple[str, float]) -> Any:
    """The log-probabilities of a chat completion; `likely` are the first token's rivals."""
    content = [
        {"token": token, "logprob": value, "top_logprobs": [{"token": token, "logprob": value}]}
        for token, value in tokens
    ]
    if content:
        content[0]["top_logprobs"] += [{"token": t, "logprob": v} for t, v in likely]
    return {"content": content}


@pytest.fixture(name="chat_logprobs")
def chat_logprobs_fixture() -> Callable[..., Any]:
    """Makes the log-probabilities of a chat completion."""
    return chat_logprobs
