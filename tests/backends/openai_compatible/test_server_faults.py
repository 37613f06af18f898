"""What a server may do wrong: nothing is lost, nothing is asked twice, counts are right."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from scripted_server import completion

from slmroute_plugin.backends.openai_compatible import openai_compatible_backend
from slmroute_plugin.backends.openai_compatible.server import ServerError
from slmroute_plugin.observation import Missing
from slmroute_plugin.signals import FirstTokenProbs, Reply, Restated, TokenLogprobs

N = 12
ODD = "question 7"
REPLY = Reply("How sure are you?", max_tokens=4)
LOGPROBS = TokenLogprobs()

PASSING: dict[str, Callable[[Any], Any]] = {
    "429": lambda server: server.status(429),
    "429 with a brief Retry-After": lambda server: server.status(
        429, headers={"Retry-After": "0.05"}
    ),
    "500": lambda server: server.status(500),
    "503": lambda server: server.status(503),
    "cut before the answer": lambda server: server.cut(),
    "cut within the answer": lambda server: server.cut(b'{"choices": [{"mess'),
    "no JSON": lambda server: server.raw("<html>busy</html>"),
    "half the JSON": lambda server: server.raw('{"choices": [{"mess'),
    "no object": lambda server: server.body([1, 2]),
    "empty choices": lambda server: server.body({"choices": []}),
    "choices of another kind": lambda server: server.body({"choices": ["a"]}),
    "an answer broken off": lambda server: server.body(completion("So", finish_reason="error")),
    "an error of the choice": lambda server: server.body(
        completion("", error={"message": "upstream"})
    ),
}


def answers(seen: list[Any]) -> list[str]:
    return [one.observation.answer for one in seen]


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_costs_one_more_request_and_nothing_else(
    name: str, chat: bool, server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    server.faults[ODD] = [PASSING[name](server)]
    seen = observe(remote(chat), [ask(f"question {i}", chat=chat) for i in range(N)], ())
    assert answers(seen) == [f"answer to question {i}" for i in range(N)]
    assert server.asked == {f"question {i}": 1 + (i == 7) for i in range(N)}


def test_the_servers_wish_to_wait_is_heeded(
    server: Any, remote: Any, observe: Any, ask: Any, waits: list[float]
) -> None:
    server.faults[ODD] = [server.status(429, headers={"Retry-After": "99"})]
    observe(remote(), [ask(ODD)], ())
    assert server.asked[ODD] == 2
    assert waits == [pytest.approx(99, abs=0.01)]


def test_a_body_that_never_comes_or_never_ends_is_given_up_and_asked_again(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    server.faults["question 3"] = [server.hang()]
    server.faults["question 4"] = [server.trickle()]
    seen = observe(remote(timeout=2), [ask(f"question {i}") for i in range(N)], ())
    assert answers(seen) == [f"answer to question {i}" for i in range(N)]
    assert {question for question, n in server.asked.items() if n == 2} == {
        "question 3",
        "question 4",
    }
    assert server.total == N + 2


LASTING: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "refusal": (
        lambda s: s.body(completion(None, message={"refusal": "I must not"})),
        "",
        "the model refused: I must not",
    ),
    "content filter": (
        lambda s: s.body(completion("So", finish_reason="content_filter")),
        "So",
        "the server's content filter stopped the answer",
    ),
    "null content": (
        lambda s: s.body(completion(None)),
        "",
        "the answer has no text (finish_reason stop)",
    ),
    "thinking only": (
        lambda s: s.body(completion("", finish_reason="length")),
        "",
        "the tokens ran out before the answer began: raise max_gen_toks",
    ),
    "no text": (
        lambda s: s.body(completion("")),
        "",
        "the answer has no text (finish_reason stop)",
    ),
    "thinking without a text": (
        lambda s: s.body(completion("", message={"reasoning_content": "Hm."})),
        "",
        "the answer has no text, thinking alone (finish_reason stop)",
    ),
    "a tool": (
        lambda s: s.body(
            completion(None, message={"tool_calls": [{}]}, finish_reason="tool_calls")
        ),
        "",
        "the model called a tool in place of an answer (finish_reason tool_calls)",
    ),
    "a stop string at once": (
        lambda s: s.body(completion("\n\nQuestion: next")),
        "",
        "nothing is left of the answer behind its thinking and before its stop strings",
    ),
    "400": (lambda s: s.status(400, {"message": "too long"}), "", "HTTP 400: too long"),
    "403": (lambda s: s.status(403, {"message": "flagged"}), "", "HTTP 403: flagged"),
    "401": (lambda s: s.status(401, {"message": "not you"}), "", "HTTP 401: not you"),
    "404": (lambda s: s.status(404, {"message": "no route"}), "", "HTTP 404: no route"),
    "422": (lambda s: s.status(422), "", "HTTP 422: status 422"),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_question_that_the_server_will_not_answer_costs_its_own_confidence_alone(
    name: str,
    server: Any,
    remote: Any,
    observe: Any,
    ask: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, text, reason = LASTING[name]
    server.faults[ODD] = [make(server)]
    seen = observe(remote(), [ask(f"question {i}") for i in range(N)], {REPLY})
    expected = [f"answer to question {i}" for i in range(N)]
    expected[7] = text
    assert answers(seen) == expected
    values = [one.observation.signals[REPLY] for one in seen]
    assert values.pop(7) == Missing(reason)
    assert values == [f"answer to {REPLY.follow_up}"] * (N - 1)
    assert server.asked[ODD] == 1
    assert server.total == N + N - 1
    assert f"1 of 12 answers are not the model's, and have no confidence: 1 × {reason}" in (
        caplog.messages
    )


def test_a_signal_that_cannot_be_had_costs_nothing_else(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    restated = Restated("Then say how sure you are.", extra_tokens=4)
    odd = f"{ODD}\n\n{restated.instruction}"
    server.faults[odd] = [server.status(500)] * 3
    seen = observe(remote(), [ask(f"question {i}") for i in range(N)], {REPLY, restated})
    assert answers(seen) == [f"answer to question {i}" for i in range(N)]
    assert all(one.observation[REPLY] for one in seen)
    values = [one.observation.signals[restated] for one in seen]
    assert values[7] == Missing("HTTP 500: status 500 (attempts: 3)")
    assert [i for i, value in enumerate(values) if isinstance(value, Missing)] == [7]
    assert server.asked[odd] == 3


def delivered_before(error: str, lm: Any, questions: Any) -> list[int]:
    """Numbers of the questions that are answered before the run fails with this error."""
    backend = openai_compatible_backend(lm, back_off_s=0.001)
    assert backend is not None
    stream = backend.observe(questions, set(), 0)
    came: list[int] = []
    with pytest.raises(ServerError, match=re.escape(error)):
        while True:
            came.append(next(stream).index)
    return sorted(came)


def test_an_outage_for_one_question_fails_the_run_when_all_others_are_answered(
    server: Any, remote: Any, ask: Any
) -> None:
    server.faults[ODD] = [server.status(503)] * 3
    came = delivered_before(
        "left 1 of 12 questions without an answer: 1 × HTTP 503: status 503 (attempts: 3)",
        remote(),
        [ask(f"question {i}") for i in range(N)],
    )
    assert came == [i for i in range(N) if i != 7]
    assert server.asked == {f"question {i}": 3 if i == 7 else 1 for i in range(N)}


CAN = FirstTokenProbs("Can you answer it? Yes or No.", ("Yes", "No"))


def of_prompts(ask: Any) -> list[Any]:
    """Twelve questions, with the prompt that asks whether they can be answered."""
    more = [f"question {i}\n\n{CAN.instruction}" for i in range(N)]
    return [
        ask(f"question {i}", restated={CAN: each}, restated_text={CAN: each})
        for i, each in enumerate(more)
    ]


def test_a_prompt_that_is_read_alone_is_one_request_of_one_token(
    server: Any, remote: Any, ask: Any
) -> None:
    backend = openai_compatible_backend(remote(), back_off_s=0.001)
    assert backend is not None
    odd = f"{ODD}\n\n{CAN.instruction}"
    server.faults[odd] = [server.status(400, {"message": "too long"})]
    seen = {one.index: one for one in backend.observe_prompts(of_prompts(ask), {CAN}, 0)}
    assert sorted(seen) == list(range(N))
    asked = {question: n for question, n in server.asked.items() if CAN.instruction in question}
    assert asked == {f"question {i}\n\n{CAN.instruction}": 1 for i in range(N)}
    # The questions themselves are never asked.
    assert not [
        question
        for question in server.asked
        if question.startswith("question") and CAN.instruction not in question
    ]
    limits = [body["max_tokens"] for body in server.bodies if CAN.instruction in str(body)]
    assert limits == [1] * N
    assert {one.observation.answer for one in seen.values()} == {""}
    assert seen[7].observation.signals[CAN] == Missing("HTTP 400: too long")
    assert [i for i, one in seen.items() if not one.is_answer] == [7]


def test_a_prompt_that_cannot_be_read_now_fails_the_run_and_is_not_routed_for_it(
    server: Any, remote: Any, ask: Any
) -> None:
    backend = openai_compatible_backend(remote(), back_off_s=0.001)
    assert backend is not None
    server.faults[f"{ODD}\n\n{CAN.instruction}"] = [server.status(503)] * 3
    came = []
    said = "left 1 of 12 questions without an answer: 1 × HTTP 503: status 503 (attempts: 3)"
    with pytest.raises(ServerError, match=re.escape(said)):
        for one in backend.observe_prompts(of_prompts(ask), {CAN}, 0):
            came.append(one.index)
    assert sorted(came) == [i for i in range(N) if i != 7]


def test_a_longer_wait_than_anybody_waits_leaves_questions_without_an_answer(
    server: Any, remote: Any, ask: Any
) -> None:
    later = server.status(429, {"message": "daily quota"}, headers={"Retry-After": "3600"})
    for number in range(9, N):
        server.faults[f"question {number}"] = [later]
        server.faults[f"question {number}\n\n{CAN.instruction}"] = [later]
    said = "left 3 of 12 questions without an answer: 3 × HTTP 429: daily quota (the server asks"
    came = delivered_before(said, remote(), [ask(f"question {i}") for i in range(N)])
    assert sorted(came) == list(range(9))
    assert server.total == N
    backend = openai_compatible_backend(remote(), back_off_s=0.001)
    assert backend is not None
    with pytest.raises(ServerError, match=re.escape(said)):
        list(backend.observe_prompts(of_prompts(ask), {CAN}, 0))


def test_a_signal_that_another_run_may_bring_is_asked_for_again(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    server.faults["How sure are you?"] = [server.status(503)] * 3
    (seen,) = observe(remote(), [ask("question 0")], {REPLY, LOGPROBS})
    assert seen.observation.answer == "answer to question 0"
    assert seen.observation.signals[REPLY] == Missing("HTTP 503: status 503 (attempts: 3)")
    assert not seen.is_answer
    server.faults["How sure are you?"] = [server.status(429, headers={"Retry-After": "700"})]
    (seen,) = observe(remote(), [ask("question 0")], {REPLY})
    assert not seen.is_answer
    server.faults["How sure are you?"] = [server.status(400)]
    (seen,) = observe(remote(), [ask("question 0")], {REPLY})
    assert isinstance(seen.observation.signals[REPLY], Missing)
    assert seen.is_answer


def test_no_money_left_ends_the_asking_and_what_is_on_its_way_is_kept(
    server: Any, remote: Any, ask: Any
) -> None:
    money = server.status(429, {"code": "insufficient_quota", "message": "no money"})
    server.faults[ODD] = [money]
    came = delivered_before(
        "left 5 of 12 questions without an answer: 1 × HTTP 429: no money",
        remote(num_concurrent=1),
        [ask(f"question {i}") for i in range(N)],
    )
    assert came == list(range(7))
    assert server.total == 8


def test_a_wrong_key_costs_one_request(server: Any, remote: Any, ask: Any, canary: str) -> None:
    server.otherwise = server.status(401, {"message": f"Incorrect API key: {canary}"})
    came = delivered_before(
        "cannot be asked: 1 × HTTP 401: Incorrect API key: [key]",
        remote(),
        [ask(f"question {i}") for i in range(N)],
    )
    assert came == []
    assert server.total == 1


def test_a_first_question_that_moderation_refuses_costs_no_other(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    flagged = {"message": "Your input was flagged by moderation"}
    for number in (0, 3, 4):
        server.faults[f"question {number}"] = [server.status(403, flagged)]
    seen = observe(remote(), [ask(f"question {i}") for i in range(9)], {REPLY})
    assert answers(seen) == ["" if i in (0, 3, 4) else f"answer to question {i}" for i in range(9)]
    missing = [one.observation.signals[REPLY] for one in seen if not one.observation.answer]
    assert missing == [Missing("HTTP 403: Your input was flagged by moderation")] * 3
    assert [one.is_answer for one in seen] == [i not in (0, 3, 4) for i in range(9)]


def test_a_server_that_refuses_all_is_an_error_and_no_row_of_empty_answers(
    server: Any, remote: Any, ask: Any
) -> None:
    server.otherwise = server.status(400, {"message": "unknown field do_sample"})
    came = delivered_before(
        "refuses every question: 12 × HTTP 400: unknown field do_sample",
        remote(),
        [ask(f"question {i}") for i in range(N)],
    )
    assert came == []
    assert server.total == N


def test_a_server_that_is_not_there_is_named(server: Any, remote: Any, ask: Any) -> None:
    lm = remote()
    lm.base_url = "http://127.0.0.1:9/v1/chat/completions"
    said = (
        "http://127.0.0.1:9/v1/chat/completions cannot be asked: 1 × the server cannot be reached"
    )
    assert delivered_before(said, lm, [ask("question 0"), ask("question 1")]) == []


def test_a_thousand_questions_at_once_on_a_bad_day(
    server: Any, remote: Any, observe: Any, ask: Any, chat_logprobs: Any
) -> None:
    many = 1000
    faults = [server.status(429), server.status(503), server.cut(), server.raw("{"), server.raw("")]
    for i in range(0, many, 7):
        server.faults[f"question {i}"] = [faults[i % len(faults)]]

    async def answer(request: web.Request, question: str) -> web.StreamResponse:
        await asyncio.sleep(0.01)
        text = f"answer to {question}"
        return web.json_response(completion(text, logprobs=chat_logprobs([(text, -0.5)])))

    server.otherwise = answer
    lm = remote(num_concurrent=many)
    seen = observe(lm, [ask(f"question {i}") for i in range(many)], {LOGPROBS})
    assert answers(seen) == [f"answer to question {i}" for i in range(many)]
    assert all(one.observation[LOGPROBS].logprobs == (-0.5,) for one in seen)
    faulty = len(range(0, many, 7))
    assert Counter(server.asked.values()) == {1: many - faulty + 1, 2: faulty}
    assert server.most_at_once > 100


def test_no_more_requests_at_once_than_lm_eval_allows(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    server.otherwise = server.body(None, after_s=0.02)
    observe(remote(num_concurrent=3), [ask(f"question {i}") for i in range(9)], {REPLY})
    assert server.most_at_once == 3


def test_who_stops_early_stops_the_asking(server: Any, remote: Any, ask: Any) -> None:
    server.otherwise = server.body(None, after_s=0.05)
    backend = openai_compatible_backend(remote(num_concurrent=1))
    assert backend is not None
    stream = backend.observe([ask(f"question {i}") for i in range(200)], set(), 0)
    next(stream)
    stream.close()
    total = server.total
    time.sleep(0.2)
    assert server.total <= total + 1 < 200


def test_it_may_be_called_where_an_event_loop_runs(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    async def notebook() -> list[Any]:
        found: list[Any] = observe(remote(), [ask("question 0")], {REPLY})
        return found

    assert answers(asyncio.run(notebook())) == ["answer to question 0"]


def test_a_key_is_sent_and_its_absence_too(
    server: Any,
    remote: Any,
    observe: Any,
    ask: Any,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    observe(remote(), [ask("question 0")], ())
    monkeypatch.delenv("OPENAI_API_KEY")
    observe(remote(), [ask("question 0")], ())
    assert server.authorization == [f"Bearer {canary}", None]


def test_questions_that_cannot_be_asked_are_an_error_before_the_first(
    server: Any, remote: Any, observe: Any, ask: Any
) -> None:
    with pytest.raises(ValueError, match="max_gen_toks must be 1 or more, not 0"):
        observe(remote(), [ask("a"), ask("b", generation={"max_gen_toks": 0})], ())
    with pytest.raises(ValueError, match="without a tokenizer there is no chat template"):
        observe(remote(chat=False), [ask("a", chat=True)], ())
    with pytest.raises(ValueError, match="needs base_url="):
        openai_compatible_backend(remote(base_url=None))
    assert server.total == 0
