"""Routing inside an lm-eval run, against a real HTTP server that speaks the OpenAI protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from slmroute_plugin import hookimpl
from slmroute_plugin.include_path import include_path
from slmroute_plugin.llm.exchange import LlmReply
from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError

ARITHMETIC = "slmroute_demo_arithmetic"
KEY = "sk-canary-3141592653"


class Server:
    """Answers every question with 7, and remembers what it was asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails: list[str] = []
        self.says: Callable[[str], Response | None] = lambda question: None
        self.url = http.url_for("/v1")
        http.expect_request("/v1/chat/completions").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        body = json.loads(request.data)
        self.asked.append(body)
        if (said := self.says(body["messages"][-1]["content"])) is not None:
            return said
        if any(part in body["messages"][-1]["content"] for part in self.fails):
            return Response(json.dumps({"error": {"message": "bad"}}), status=400)
        content = "<think>five and two</think>\nThe answer is 7."
        return Response(
            json.dumps(
                {
                    "choices": [
                        {
                            "message": {"role": "assistant", "content": content},
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
                }
            ),
            content_type="application/json",
        )


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield Server(httpserver)


def routed(lm: Any, results: Path, route: dict[str, Any], limit: int = 6, **how: Any) -> Any:
    metadata = {"slmroute": {"uq": ["perplexity"], "results": str(results), "route": route}}
    return simple_evaluate(
        lm,
        tasks=[ARITHMETIC],
        task_manager=TaskManager(
            include_path=include_path(), include_defaults=False, metadata=metadata
        ),
        limit=limit,
        apply_chat_template=True,
        gen_kwargs="max_gen_toks=8",
        bootstrap_iters=0,
        verbosity="INFO",
        **how,
    )


def rows(result: Any, which: str) -> list[dict[str, Any]]:
    return [row for row in result["samples"][ARITHMETIC] if row["filter"] == which]


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=9, max_position_embeddings=1024)


def test_the_unsure_half_goes_and_the_table_says_what_it_cost(
    lm: Any, server: Server, tmp_path: Path
) -> None:
    llm = {"model": "gpt-4.1-mini", "base_url": server.url}
    result = routed(lm, tmp_path, {"method": "perplexity", "ratio": 0.5, "llm": llm})
    table = result["results"][ARITHMETIC]
    assert table["routed,routed"] == 0.5
    assert table["cost_usd,routed"] == pytest.approx(3 * (100 * 0.4 + 10 * 1.6) / 1e6)
    assert table["llm_error,routed"] == 0
    assert len(server.asked) == 3
    assert {body["max_tokens"] for body in server.asked} == {8}
    own, after = rows(result, "slm"), rows(result, "routed")
    going = [row["doc_id"] for row in after if row["routed"]]
    by_confidence = sorted(own, key=lambda row: row["confidence/perplexity"])
    assert sorted(going) == sorted(row["doc_id"] for row in by_confidence[:3])
    for before, row in zip(own, after, strict=True):
        if row["routed"]:
            assert row["answer"] == "7"
            assert row["llm"] == "gpt-4.1-mini"
            assert row["acc"] == float(row["target"] == "7")
        else:
            assert (row["answer"], row["acc"]) == (before["answer"], before["acc"])
            assert (row["llm"], row["cost_usd"]) == (None, 0.0)


def test_the_llm_sees_the_conversation_that_the_slm_saw(
    lm: Any, server: Server, tmp_path: Path
) -> None:
    llm = {"model": "other", "base_url": server.url, "generation": {"max_tokens": 99}}
    result = routed(
        lm,
        tmp_path,
        {"method": "perplexity", "threshold": 1.0, "llm": llm},
        limit=1,
        num_fewshot=2,
        fewshot_as_multiturn=True,
        system_instruction="Be brief.",
    )
    (asked,) = server.asked
    roles = [message["role"] for message in asked["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert asked["messages"][0]["content"] == "Be brief."
    assert result["samples"][ARITHMETIC][0]["doc"]["question"] in asked["messages"][-1]["content"]
    assert (asked["temperature"], asked["max_tokens"]) == (0.0, 99)
    assert asked["stop"] == ["\n\nQuestion:"]
    assert result["results"][ARITHMETIC]["cost_usd,routed"] == "unknown"


def test_a_call_that_fails_keeps_the_slms_answer(lm: Any, server: Server, tmp_path: Path) -> None:
    route = {
        "method": "perplexity",
        "threshold": 1.0,
        "llm": {"model": "other", "base_url": server.url},
    }
    first = routed(lm, tmp_path, route, limit=4)
    failing = rows(first, "slm")[2]
    server.fails = [failing["doc"]["question"]]
    server.asked.clear()
    again = routed(lm, tmp_path / "fresh", route, limit=4)
    assert again["results"][ARITHMETIC]["llm_error,routed"] == 1
    row = rows(again, "routed")[2]
    assert row["llm_error"] == "HTTP 400: bad"
    assert (row["answer"], row["acc"], row["routed"]) == (failing["answer"], failing["acc"], 1.0)


def without_text(**changes: Any) -> Response:
    """A response whose only choice has no text."""
    choice = {"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"} | changes
    return Response(json.dumps({"choices": [choice]}), content_type="application/json")


FLAGGED = json.dumps({"error": {"code": 403, "message": "Your input was flagged by moderation"}})
UNANSWERED: list[tuple[Callable[[], Response], str]] = [
    (
        lambda: Response(FLAGGED, status=403, content_type="application/json"),
        "HTTP 403: Your input was flagged by moderation",
    ),
    (without_text, "the answer has no text (finish_reason stop)"),
    (
        lambda: without_text(finish_reason="error", error={"message": "upstream died"}),
        "the server broke off the answer: upstream died (attempts: 2)",
    ),
    (
        lambda: without_text(message={"content": None, "reasoning_content": "Hm."}),
        "the answer has no text, thinking alone (finish_reason stop)",
    ),
]


def kind_of(question: str) -> int:
    """A number from 0 to 5 by which the server tells questions apart."""
    return sum(map(ord, question)) % 6


def test_questions_without_an_answer_keep_the_slms_and_cost_no_other(
    lm: Any, server: Server, tmp_path: Path
) -> None:
    asked: set[str] = set()

    def says(question: str) -> Response | None:
        asked.add(question)
        kind = kind_of(question)
        return UNANSWERED[kind][0]() if kind < len(UNANSWERED) else None

    server.says = says
    llm = {"model": "other", "base_url": server.url, "max_attempts": 2}
    route = {"method": "perplexity", "threshold": "inf", "llm": llm}
    result = routed(lm, tmp_path, route, limit=12)
    kinds = set()
    for own, row in zip(rows(result, "slm"), rows(result, "routed"), strict=True):
        (question,) = [each for each in asked if own["doc"]["question"] in each]
        kind = kind_of(question)
        kinds.add(kind)
        if kind < len(UNANSWERED):
            assert row["llm_error"] == UNANSWERED[kind][1]
            assert (row["answer"], row["acc"]) == (own["answer"], own["acc"])
        else:
            assert (row["llm_error"], row["answer"]) == (None, "7")
    assert {0, 1, 2, 3} & kinds
    assert {4, 5} & kinds
    # What has no answer is asked again, and nothing else.
    server.asked.clear()
    server.says = lambda question: None
    again = routed(lm, tmp_path, route, limit=12)
    assert {row["answer"] for row in rows(again, "routed")} == {"7"}
    assert len(server.asked) == sum(row["llm_error"] is not None for row in rows(result, "routed"))


def test_the_same_run_again_asks_nothing(lm: Any, server: Server, tmp_path: Path) -> None:
    llm = {"model": "other", "base_url": server.url}
    route = {"method": "perplexity", "threshold": 1.0, "llm": llm}
    first = routed(lm, tmp_path, route, limit=3)
    assert len(server.asked) == 3
    more = routed(lm, tmp_path, route, limit=5)
    assert len(server.asked) == 5
    assert rows(more, "routed")[:3] == rows(first, "routed")


def test_the_key_is_nowhere(
    lm: Any, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    llm = {"model": "other", "base_url": server.url}
    result = routed(lm, tmp_path, {"method": "perplexity", "threshold": 1.0, "llm": llm}, limit=2)
    assert server.asked
    assert KEY not in caplog.text
    assert KEY not in json.dumps(result, default=str)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


def test_a_refused_key_stops_before_the_second_call_and_keeps_all_answers(
    lm: Any, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        {"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401
    )
    llm = {"model": "other", "base_url": httpserver.url_for("/v1")}
    result = routed(lm, tmp_path, {"method": "perplexity", "threshold": 1.0, "llm": llm})
    assert len(httpserver.log) == 1
    assert result["results"][ARITHMETIC]["llm_error,routed"] == 6
    errors = {row["llm_error"] for row in rows(result, "routed")}
    assert len(errors) == 1
    assert "401" in (error := errors.pop())
    assert KEY not in error
    assert len(rows(result, "slm")) == 6


def test_nothing_routed_needs_no_key_and_no_server(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    route = {"method": "perplexity", "threshold": 0.0, "llm": {"model": "gpt-4.1-mini"}}
    table = routed(lm, tmp_path, route)["results"][ARITHMETIC]
    assert (table["routed,routed"], table["cost_usd,routed"]) == (0.0, 0.0)
    assert table["acc,routed"] == table["acc,slm"]


def test_a_missing_key_is_said_and_costs_no_answer(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    route = {"method": "perplexity", "threshold": 1.0, "llm": {"model": "gpt-4.1-mini"}}
    result = routed(lm, tmp_path, route, limit=2)
    assert "OPENAI_API_KEY" in rows(result, "routed")[0]["llm_error"]


def test_policies_and_models_of_plugins(lm: Any, tmp_path: Path) -> None:
    class Odd:
        def decide(self, confidence: Any, questions: Any) -> list[bool]:
            return [bool(row % 2) for row in range(len(confidence))]

    class Parrot:
        name = "parrot"

        def ask(self, requests: Any, what: str) -> list[LlmReply]:
            return [LlmReply(text="The answer is 3.", cost_usd=0.5) for _ in requests]

    class Plugin:
        @hookimpl
        def slmroute_policy(self, config: Any) -> Any:
            return Odd() if config == {"name": "odd"} else None

        @hookimpl
        def slmroute_llm(self, config: Any) -> Any:
            return Parrot() if config == {"name": "parrot"} else None

    plugin = Plugin()
    plugin_manager().register(plugin)
    try:
        llm = {"backend": {"name": "parrot"}}
        route = {"method": "perplexity", "policy": {"name": "odd"}, "llm": llm}
        result = routed(lm, tmp_path, route, limit=4)
    finally:
        plugin_manager().unregister(plugin)
    assert [row["routed"] for row in rows(result, "routed")] == [0.0, 1.0, 0.0, 1.0]
    assert rows(result, "routed")[1]["answer"] == "3"
    assert result["results"][ARITHMETIC]["cost_usd,routed"] == 1.0


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ({"threshold": 0.5, "ratio": 0.5}, "exactly one of threshold, ratio.* not threshold and r"),
        ({}, "exactly one of threshold, ratio, threshold_from and policy is needed, not none"),
        ({"threshold": float("nan")}, r"route\.threshold: "),
        ({"threshold": "-inf"}, r"route\.threshold: "),
        ({"threshold": "all"}, r"route\.threshold: "),
        ({"threshold": 1.5}, r"route\.threshold: .*less than or equal to 1, not 1\.5"),
        ({"ratio": -0.1}, r"route\.ratio: "),
        ({"threshold": 0.5, "method": "perplexty"}, "no UQ method is called 'perplexty'.*perplex"),
        ({"threshold": 0.5, "method": "p_true"}, "p_true is not among the methods of `uq`"),
        ({"treshold": 0.5}, r"route\.treshold: unknown key\. Did you mean 'threshold'"),
        ({"threshold_from": "no/such.json"}, r"no/such\.json does not exist"),
        ({"threshold": 0.5, "llm": {}}, "exactly one of model, replay and backend is needed"),
        ({"threshold": 0.5, "llm": {"modell": "x"}}, r"route\.llm\.modell: unknown key"),
        ({"threshold": 0.5, "llm": {"model": "x", "api_key": "k"}}, r"route\.llm\.api_key: unkno"),
        ({"threshold": 0.5, "llm": {"model": "x", "base_url": "ftp://x"}}, r"route\.llm\.base_url"),
        ({"threshold": 0.5, "llm": {"model": "x", "max_cost_usd": -1}}, r"llm\.max_cost_usd"),
        (
            {"threshold": 0.5, "llm": {"model": "x", "max_cost_usd": 1}},
            r"route\.llm\.max_cost_usd: .*the price of x is not known .*: state it under `prices`",
        ),
        (
            {"threshold": 0.5, "llm": {"replay": "no/run"}},
            r"llm\.replay: there is no folder no/run",
        ),
        ({"policy": {"name": "x"}}, r"route\.policy: no installed plugin knows the policy .*'x'"),
    ],
)
def test_bad_settings_are_refused_by_name(route: dict[str, Any], message: str) -> None:
    whole = {"method": "perplexity", "llm": {"model": "gpt-4.1-mini"}, **route}
    with pytest.raises(SettingsError) as raised:
        parse_settings({"uq": ["perplexity"], "route": whole})
    assert re.search(message, str(raised.value)), str(raised.value)
