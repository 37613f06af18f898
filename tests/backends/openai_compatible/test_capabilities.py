"""What a server gives is found out by one call, and what it does not give is reported."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from scripted_server import completion, usual_answer

from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.backends.openai_compatible.server import ServerError
from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
)

SMALL_TALK = "Write a random word."
WORDS = NextTokenProbs("{answer}?", ("True", "False"))
NO_LOGPROBS = "this server returns no log-probabilities"

Refuse = Callable[[dict[str, Any]], str | None]


class Picky:
    """A server that refuses some requests with HTTP 400, and gives log-probabilities or not."""

    def __init__(
        self, refuse: Refuse = lambda body: None, top: bool = True, tokens: bool = True
    ) -> None:
        self.refuse = refuse
        self.top = top
        self.tokens = tokens
        self.is_equal = False
        self.count = 0

    async def __call__(self, request: web.Request, question: str) -> web.StreamResponse:
        body = await request.json()
        said = self.refuse(body)
        if said is not None:
            return web.json_response({"error": {"message": said}}, status=400)
        choices = [self.choice(request, body, index) for index in range(body.get("n", 1))]
        return web.json_response({"choices": choices})

    def choice(self, request: web.Request, body: dict[str, Any], index: int) -> dict[str, Any]:
        self.count += not self.is_equal
        text = f"word {self.count}"
        choice = usual_answer(request, text)["choices"][0] | {"index": index}
        if self.tokens and body.get("logprobs"):
            likely = [{"token": "True", "logprob": -1.0}, {"token": "False", "logprob": -2.0}]
            token = {"token": text, "logprob": -1.0, "top_logprobs": likely if self.top else []}
            choice["logprobs"] = {"content": [token]}
        return choice


def refusals(lm: Any, *signals: Signal[Any]) -> list[str | None]:
    backend = openai_compatible_backend(lm, back_off_s=0.001)
    assert backend is not None
    return [backend.refuses(signal) for signal in signals]


def test_a_server_that_gives_all_is_called_once(server: Any, remote: Any) -> None:
    server.otherwise = Picky()
    asked = (TokenLogprobs(), ChoiceProb(), WORDS, Samples(), Reply("?"), Restated("!"))
    assert refusals(remote(), *asked) == [None] * 6
    assert server.asked == {SMALL_TALK: 1}


def test_text_needs_no_probe_call(server: Any, remote: Any) -> None:
    assert refusals(remote(), Reply("?"), Restated("!")) == [None, None]
    assert server.total == 0


def test_hidden_states_are_not_asked_of_a_server_that_knows_no_ids(
    server: Any, remote: Any
) -> None:
    server.otherwise = Picky()
    found = refusals(remote(), Samples(), HiddenState(), PromptStates())
    assert found == [None, *["this server shows no hidden states"] * 2]
    assert server.asked == {SMALL_TALK: 1}


def test_what_a_server_does_not_give_is_named(server: Any, remote: Any) -> None:
    asked = (TokenLogprobs(), ChoiceProb(), WORDS)
    assert refusals(remote(), *asked) == [NO_LOGPROBS] * 3
    server.otherwise = Picky(top=False)
    top = "this server does not tell the most likely tokens"
    assert refusals(remote(), *asked) == [None, None, top]
    assert server.total == 2


def test_log_probabilities_that_cannot_be_read_are_named(server: Any, remote: Any) -> None:
    server.otherwise = server.body(completion("word", logprobs={"values": [1]}))
    (found,) = refusals(remote(), TokenLogprobs())
    assert found == "this server returns log-probabilities in a form that cannot be read"


def named(name: str) -> Refuse:
    return lambda body: f"unknown field {name}" if name in body else None


def at_most(most: int) -> Refuse:
    def refuse(body: dict[str, Any]) -> str | None:
        many = (body.get("top_logprobs") or 0) > most
        return f"top_logprobs must be at most {most}" if many else None

    return refuse


def unnamed(body: dict[str, Any]) -> str | None:
    return "bad request" if "top_k" in body else None


PICKY: dict[str, tuple[Refuse, int, dict[str, Any]]] = {
    "top_k of -1": (lambda b: "top_k: >= 0" if b.get("top_k") == -1 else None, 2, {"top_k": 0}),
    "no top_k": (named("top_k"), 3, {"top_k": None, "min_p": None}),
    "no top_k, and no word of it": (unnamed, 3, {"top_k": None}),
    "few likely tokens": (at_most(5), 2, {"top_logprobs": 5, "top_k": -1}),
    "no likely tokens": (named("logprobs"), 3, {"logprobs": None, "n": 2, "top_k": -1}),
    "no ids": (named("return_token_ids"), 2, {"return_token_ids": None, "n": 2, "top_k": -1}),
    "no n": (lambda b: "n > 1 is not supported" if b.get("n") else None, 2, {"n": None}),
}


@pytest.mark.parametrize("name", PICKY)
def test_a_refused_probe_call_is_made_again_without_what_was_refused(
    name: str, server: Any, remote: Any
) -> None:
    refuse, calls, sent = PICKY[name]
    server.otherwise = Picky(refuse)
    (found,) = refusals(remote(), TokenLogprobs())
    assert found == (NO_LOGPROBS if name == "no likely tokens" else None)
    assert server.total == calls
    assert {field: server.bodies[-1].get(field) for field in sent} == sent


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
@pytest.mark.parametrize("is_equal", [True, False])
def test_samples_come_in_one_request_only_where_they_differ(
    server: Any, remote: Any, observe: Any, ask: Any, is_equal: bool, chat: bool
) -> None:
    # Some servers draw all answers of a request with one seed.
    picky = Picky()
    picky.is_equal = is_equal
    server.otherwise = picky
    (seen,) = observe(remote(chat), [ask("question 0", chat=chat)], {Samples(5)})
    assert len(seen.observation[Samples(5)]) == 5
    drawn = [body for body in server.bodies[1:] if body["temperature"] == 1.0]
    assert [body.get("n", 1) for body in drawn] == ([1] * 5 if is_equal else [5])
    assert len({body["seed"] for body in drawn}) == len(drawn)
    assert all(body["top_p"] == 1.0 and body["top_k"] == -1 for body in drawn)


def test_too_few_samples_in_one_request_are_made_up_for(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    picky = Picky()

    async def two_at_most(request: web.Request, question: str) -> web.StreamResponse:
        body = await request.json()
        body["n"] = min(body.get("n", 1), 2)
        return web.json_response(
            {"choices": [picky.choice(request, body, i) for i in range(body["n"])]}
        )

    server.otherwise = two_at_most
    (seen,) = observe(remote(), [ask("question 0")], {Samples(5)})
    assert len(set(seen.observation[Samples(5)])) == 5
    assert [body.get("n", 1) for body in server.bodies[2:]] == [5, 3, 1]


FATAL = {
    "a wrong key": (lambda s: s.status(401, {"message": "Incorrect API key"}), "HTTP 401", 1),
    "an unknown model": (lambda s: s.status(404, {"message": "no model any"}), "no model any", 1),
    "no server": (lambda s: s.cut(), "the connection broke", 21),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_server_that_answers_nothing_is_an_error_before_the_first_question(
    name: str, server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    make, said, calls = FATAL[name]
    server.otherwise = make(server)
    with pytest.raises(ServerError, match=re.escape(said)) as caught:
        observe(remote(), [ask("question 0")], {TokenLogprobs()})
    assert "cannot be asked" in str(caught.value)
    assert server.asked == {SMALL_TALK: calls}


def test_passing_faults_of_the_probe_call_cost_no_ability(server: Any, remote: Any) -> None:
    server.otherwise = Picky()
    server.faults[SMALL_TALK] = [server.status(503), server.cut()]
    assert refusals(remote(), TokenLogprobs(), WORDS) == [None, None]
    assert server.bodies[0] == server.bodies[-1]
    assert server.total == 3
