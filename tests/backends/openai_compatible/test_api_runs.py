"""Stock lm-eval with a model behind an API: all methods, what is left out, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from scripted_server import usual_answer
from served_model import ServedModel

from slmroute_plugin.include_path import include_path
from slmroute_plugin.settings.schema import SettingsError

ARITHMETIC = "slmroute_demo_arithmetic"
SMALL_TALK = "Write a random word."


class Scripted:
    """A model that says the same of every question, with log-probabilities if it is to."""

    def __init__(self, *, logprobs: bool = True) -> None:
        self._logprobs = logprobs
        self._drawn = 0

    async def __call__(self, request: web.Request, question: str) -> web.StreamResponse:
        body = await request.json()
        is_question = "Proposed answer" not in question and "How likely" not in question
        if body["temperature"] and is_question:
            texts = [self._sample() for _ in range(body.get("n", 1))]
        else:
            texts = [self._reply(question)]
        choices = [
            {**usual_answer(request, text)["choices"][0], "index": index}
            for index, text in enumerate(texts)
        ]
        if body.get("logprobs") and self._logprobs:
            for choice, text in zip(choices, texts, strict=True):
                choice["logprobs"] = self._form("messages" in body, text)
        return web.json_response({"choices": choices})

    def _sample(self) -> str:
        self._drawn += 1
        return "The answer is 7." if self._drawn % 2 else "Seven."

    def _reply(self, question: str) -> str:
        if "Proposed answer" in question:
            return "True"
        if "How likely" in question:
            return "90%"
        if "Confidence:" in question:
            return "The answer is 7.\nConfidence: 80%"
        return "The answer is 7."

    def _form(self, chat: bool, text: str) -> dict[str, Any]:
        values = {"True": {"True": log(0.6), " True": log(0.12), "False": log(0.08)}}
        pieces = text.replace(" ", "\0 ").split("\0")
        likely = [values.get(piece, {piece: log(0.5)}) for piece in pieces]
        # Of the four tokens of the answer, the last is the surest.
        own = [log(0.5)] * (len(pieces) - 1) + [log(0.9)]
        if not chat:
            return {"tokens": pieces, "token_logprobs": own, "top_logprobs": likely}
        return {
            "content": [
                {
                    "token": piece,
                    "logprob": value,
                    "top_logprobs": [{"token": t, "logprob": v} for t, v in each.items()],
                }
                for piece, value, each in zip(pieces, own, likely, strict=True)
            ]
        }


@pytest.fixture
def run(server: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs lm-eval on a demo task with a model behind the server."""

    def evaluate(
        uq: Any, chat: bool = True, command_line: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        settings = {"results": str(tmp_path), "uq": uq}
        arguments = {
            "base_url": server.url + ("/chat/completions" if chat else "/completions"),
            "model": "any",
            "num_concurrent": 4,
            "tokenizer_backend": None,
            "tokenized_requests": False,
            **(command_line or {}),
        }
        # A command line tells tasks how the model is made, so that its answers are kept.
        told = {} if command_line is None else arguments
        manager = TaskManager(
            include_path=str(include_path()),
            include_defaults=False,
            metadata={**told, "slmroute": settings},
        )
        given = {
            "model": "local-chat-completions" if chat else "local-completions",
            "model_args": arguments,
            "apply_chat_template": chat,
            "tasks": [ARITHMETIC],
            "limit": 3,
        }
        return simple_evaluate(
            task_manager=manager, bootstrap_iters=0, log_samples=True, **(given | more)
        )

    return evaluate


@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completions"])
def test_six_methods_of_a_model_behind_an_api(
    server: Any, run: Any, generation_methods: frozenset[str], chat: bool
) -> None:
    server.otherwise = Scripted()
    rows = run(sorted(generation_methods), chat)["samples"][ARITHMETIC]
    expected = {
        "average_token_prob": (3 * 0.5 + 0.9) / 4,
        "perplexity": exp((3 * log(0.5) + log(0.9)) / 4),
        "p_true": 0.72 / 0.8,
        "verbalization_1s": 0.8,
        "verbalization_2s": 0.9,
        # Two kinds of answers without a common word, 3 and 2 of them or 2 and 3: 13 / 25.
        "jaccard_degree": 0.52,
    }
    for row in rows:
        assert row["resps"] == [["The answer is 7."]]
        assert row["no_confidence"] == {}
        found = {name: row[f"confidence/{name}"] for name in generation_methods}
        assert found == pytest.approx(expected)
    # The answer, five samples in one request, two follow-ups, the restated question.
    assert server.total == 1 + 3 * 5


def test_what_the_server_does_not_give_is_left_out_with_one_line(
    server: Any, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.otherwise = Scripted(logprobs=False)
    (row, *_) = run("all")["samples"][ARITHMETIC]
    (notice,) = (line for line in caplog.messages if "left out" in line)
    assert notice.startswith(
        "this server returns no log-probabilities: average_token_prob, perplexity, p_true, "
    )
    assert "; this server shows no hidden states: " in notice
    served = {
        "agreement_and_stated",
        "answer_agreement",
        "eccentricity",
        "eig_val_laplacian",
        "jaccard_degree",
        "verbalization_1s",
        "verbalization_2s",
    }
    assert {c.partition("/")[2] for c in row if c.startswith("confidence/")} == served
    talk = [question for question in server.asked if SMALL_TALK in question]
    assert [server.asked[question] for question in talk] == [1]


def test_a_named_method_that_the_server_cannot_serve_is_an_error_before_the_first_question(
    server: Any, run: Any
) -> None:
    said = "metadata.slmroute.uq: p_true cannot run: this server returns no log-probabilities."
    with pytest.raises(SettingsError, match=said):
        run(["verbalization_2s", "p_true"])
    assert server.asked == {SMALL_TALK: 1}


def test_a_plain_run_asks_each_question_once_and_nothing_else(server: Any, run: Any) -> None:
    found = run("auto")
    assert len(found["samples"][ARITHMETIC]) == 3
    assert sorted(server.asked.values()) == [1, 1, 1]
    assert all("logprobs" not in body and body["temperature"] == 0 for body in server.bodies)


def test_what_was_answered_is_not_asked_again_at_another_pace(server: Any, run: Any) -> None:
    first = run("auto", command_line={"num_concurrent": 2})["samples"][ARITHMETIC]
    slower = {"num_concurrent": 1, "max_retries": 9, "timeout": 60}
    assert run("auto", command_line=slower)["samples"][ARITHMETIC] == first
    assert server.total == 3
    run("auto", command_line={"seed": 7})
    assert server.total == 6


@pytest.mark.slow
def test_confidences_over_http_are_those_of_the_white_box(
    server: Any, run: Any, smollm: Any, tmp_path: Path
) -> None:
    methods = ["average_token_prob", "perplexity", "p_true", "verbalization_2s"]
    server.otherwise = ServedModel(smollm)
    brief = {"gen_kwargs": {"max_gen_toks": 8}, "limit": 2}
    remote = run(methods, **brief)["samples"][ARITHMETIC]
    own = run(methods, model=smollm, model_args=None, **brief)["samples"][ARITHMETIC]
    for one, other in zip(remote, own, strict=True):
        assert one["resps"] == other["resps"]
        for name in methods:
            value, expected = one[f"confidence/{name}"], other[f"confidence/{name}"]
            # A word's rarest spellings may lie below the twenty most likely tokens.
            assert value == (expected and pytest.approx(expected, abs=2e-3))
