"""What is sent, what is kept, what it costs, and how fast it goes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ctrl_c import heed_ctrl_c

from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import LlmError, Reply, Request
from slmroute_plugin.llm.settings import LlmSettings

Llm = Callable[..., OpenAiLlm]
Questions = Callable[[int], list[Request]]


def test_messages_and_parameters_are_sent_as_they_are(server: Any, llm: Llm) -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief — «é» 日本 \u2028"},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": " 2 + 2?\n"},
    ]
    generation = {
        "max_tokens": 64,
        "temperature": 0.0,
        "stop": ["\n\n", "Q:"],
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 5,
        "n": 1,
        "top_k": 3,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    llm().ask([Request(messages, generation)], "task")
    assert server.bodies == [{"model": "gpt-4.1-mini", "messages": messages, **generation}]


def test_settings_replace_parameters_and_null_leaves_one_out(server: Any, llm: Llm) -> None:
    request = Request([{"role": "user", "content": "?"}], {"max_tokens": 64, "temperature": 0.0})
    llm(generation={"max_tokens": 2048, "temperature": None, "seed": 1}).ask([request], "task")
    (body,) = server.bodies
    assert {name: body[name] for name in body.keys() - {"model", "messages"}} == {
        "max_tokens": 2048,
        "seed": 1,
    }


def test_openai_itself_gets_the_newer_name_of_the_limit(
    server: Any, llm: Llm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    request = Request([{"role": "user", "content": "?"}], {"max_tokens": 64})
    llm(base_url="http://api.openai.com/v1").ask([request], "task")
    (body,) = server.bodies
    assert body.keys() - {"model", "messages"} == {"max_completion_tokens"}
    assert body["max_completion_tokens"] == 64


def test_url_and_key_come_from_the_environment(
    server: Any, tmp_path: Path, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/")
    monkeypatch.setenv("ANOTHER_KEY", "sk-another\n")
    settings = LlmSettings(model="m", api_key_env="ANOTHER_KEY")
    (reply,) = OpenAiLlm(settings, tmp_path).ask(questions(1), "task")
    assert reply.text == "answer to question 0"
    assert server.authorization == ["Bearer sk-another"]


def test_a_server_of_ones_own_needs_no_key(
    server: Any, llm: Llm, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (reply,) = llm().ask(questions(1), "task")
    assert reply.text == "answer to question 0"


def test_openai_without_a_key_is_an_error_that_names_the_variable(
    tmp_path: Path, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    client = OpenAiLlm(LlmSettings(model="gpt-4.1-mini"), tmp_path)
    with pytest.raises(LlmError, match="OPENAI_API_KEY"):
        client.ask(questions(1), "task")


def test_an_unusable_url_in_the_environment_is_an_error_that_does_not_quote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://user:hunter22@host/v1")
    with pytest.raises(LlmError, match="OPENAI_BASE_URL must not hold") as caught:
        OpenAiLlm(LlmSettings(model="m"), tmp_path)
    assert "hunter22" not in str(caught.value)


def test_without_questions_nothing_is_opened_needed_or_written(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from slmroute_plugin.llm.client import OpenAiLlm\n"
        "from slmroute_plugin.llm.replay import ReplayLlm\n"
        "from slmroute_plugin.llm.settings import LlmSettings\n"
        "client = OpenAiLlm(LlmSettings(model='gpt-4.1-mini'), Path(sys.argv[1]))\n"
        "assert client.ask([], 'task') == []\n"
        "assert ReplayLlm(Path('nowhere')).ask([], 'task') == []\n"
        "assert not {'openai', 'torch'} & sys.modules.keys()\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=bare, check=True)
    assert list(tmp_path.iterdir()) == []


def test_everything_that_was_reported_is_kept(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 250}
    body = completion("<think>Hm.</think>\n\nB", finish_reason="length", usage=usage)
    body["choices"][0]["message"]["reasoning_content"] = "not this"
    server.otherwise = server.body(body, after_s=0.05)
    (reply,) = llm().ask(questions(1), "task")
    assert (reply.text, reply.error, reply.finish_reason) == ("B", None, "length")
    assert (reply.prompt_tokens, reply.completion_tokens) == (1000, 250)
    # 1000 · $0.40 + 250 · $1.60 per million.
    assert reply.cost_usd == pytest.approx(0.0008)
    assert reply.latency_s is not None
    assert reply.latency_s >= 0.05
    assert not reply.cached


def test_a_rerun_asks_nothing_and_a_cached_answer_keeps_what_it_cost(
    server: Any, llm: Llm, questions: Questions
) -> None:
    first = llm().ask(questions(5), "task")
    again = llm().ask(questions(5), "task")
    assert server.total == 5
    assert again == [Reply(**{**vars(reply), "cached": True}) for reply in first]
    assert [reply.cost_usd for reply in again] == [pytest.approx(0.00012)] * 5


@pytest.mark.parametrize(
    "change",
    [
        {"model": "another"},
        {"generation": {"seed": 1}},
        {"generation": {"temperature": 1.0}},
        {"generation": {"temperature": None}},
        {"think_end": "</thought>"},
        {"think_end": None},
        {"cache": None},
        {"cache": "another.sqlite"},
    ],
)
def test_another_model_or_other_settings_are_asked_anew(
    change: dict[str, Any], server: Any, llm: Llm, questions: Questions
) -> None:
    llm().ask(questions(2), "task")
    assert not any(reply.cached for reply in llm(**change).ask(questions(2), "task"))
    assert server.total == 4


def test_limits_of_ones_own_are_no_reason_to_ask_anew(
    server: Any, llm: Llm, questions: Questions
) -> None:
    llm().ask(questions(2), "task")
    client = llm(max_concurrency=1, timeout_s=5, max_attempts=1, max_cost_usd=1.0)
    assert all(reply.cached for reply in client.ask(questions(2), "another task"))


def test_the_same_question_twice_is_asked_and_paid_once(
    server: Any, llm: Llm, questions: Questions
) -> None:
    one, two = questions(2)
    replies = llm(cache=None).ask([one, two, one, one], "task")
    assert [reply.text for reply in replies] == [f"answer to question {i}" for i in (0, 1, 0, 0)]
    assert [reply.cached for reply in replies] == [False, False, True, True]
    assert server.total == 2


def test_it_can_be_asked_where_an_event_loop_runs(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    async def notebook() -> list[Reply]:
        return llm().ask(questions(5), "task")

    replies = asyncio.run(notebook())
    assert_in_order(replies)
    assert server.total == 5


def test_no_more_requests_are_under_way_than_allowed(
    server: Any, llm: Llm, questions: Questions
) -> None:
    server.otherwise = server.body(None, after_s=0.02)
    llm(max_concurrency=3).ask(questions(20), "task")
    assert server.most_at_once == 3


def test_the_budget_stops_asking_but_not_the_run(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    # 625 tokens at $1.60 per million: a tenth of a cent for each answer.
    usage = {"prompt_tokens": 0, "completion_tokens": 625}
    server.otherwise = server.body(completion("yes", usage=usage))
    client = llm(max_cost_usd=0.0025, max_concurrency=1)
    replies = client.ask(questions(10), "task")
    assert [reply.text for reply in replies] == ["yes"] * 3 + [None] * 7
    refused = Reply(error="not asked: max_cost_usd (0.0025) is reached", cost_usd=0.0)
    assert replies[3:] == [refused] * 7
    # It holds for the next task too.
    assert [reply.text for reply in client.ask(questions(4), "next")] == ["yes"] * 3 + [None]
    assert server.total == 3
    # A new run has a budget of its own, and what is on disk is free.
    replies = llm(max_cost_usd=0.0025, max_concurrency=1).ask(questions(10), "task")
    assert [reply.cached for reply in replies] == [True] * 3 + [False] * 7
    assert [reply.text for reply in replies] == ["yes"] * 6 + [None] * 4
    assert server.total == 6


def test_concurrency_overshoots_the_budget_by_the_requests_under_way_only(
    server: Any, llm: Llm, questions: Questions, completion: Any
) -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 625}
    server.otherwise = server.body(completion("yes", usage=usage), after_s=0.02)
    replies = llm(max_cost_usd=0.0025, max_concurrency=8).ask(questions(100), "task")
    answered = sum(reply.text is not None for reply in replies)
    assert 3 <= answered == server.total <= 3 + 8 - 1


def test_a_budget_of_nothing_reads_the_cache_only(
    server: Any, llm: Llm, questions: Questions
) -> None:
    llm().ask(questions(2), "task")
    replies = llm(max_cost_usd=0).ask(questions(4), "task")
    assert [reply.error is None for reply in replies] == [True, True, False, False]
    assert server.total == 2


def test_the_budget_holds_when_the_server_counts_no_tokens(
    server: Any, llm: Llm, completion: Any
) -> None:
    server.otherwise = server.body(completion("yes", usage=None))
    # 4000 letters, about 1000 tokens, at $0.40 per million.
    requests = [Request([{"role": "user", "content": f"{i:04}" * 1000}]) for i in range(9)]
    replies = llm(max_cost_usd=0.001, max_concurrency=1).ask(requests, "task")
    assert sum(reply.text is not None for reply in replies) == 3


def test_a_budget_for_a_model_of_unknown_price_is_an_error(llm: Llm) -> None:
    with pytest.raises(ValueError, match=r"price of local-model is not known \(known are gpt-4"):
        llm(model="local-model", max_cost_usd=1.0)


def test_an_answer_of_unknown_price_costs_null(server: Any, llm: Llm, questions: Questions) -> None:
    (reply,) = llm(model="local-model").ask(questions(1), "task")
    assert (reply.text, reply.cost_usd) == ("answer to question 0", None)


@pytest.mark.parametrize(
    "rate",
    # 400 letters are about 100 tokens, and the answer may have 100 more.
    [{"requests_per_minute": 600}, {"tokens_per_minute": 120_000}],
)
def test_requests_and_tokens_per_minute_hold_over_tasks(
    rate: dict[str, float], server: Any, llm: Llm
) -> None:
    requests = [
        Request([{"role": "user", "content": f"{i:04}" * 100}], {"max_tokens": 100})
        for i in range(10)
    ]
    client = llm(max_concurrency=10, **rate)
    start = time.monotonic()
    client.ask(requests[:5], "one")
    client.ask(requests[5:], "two")
    # By the server's clock: request i cannot come before i tenths of a second have passed.
    for i, arrival in enumerate(server.all_arrivals):
        assert arrival - start >= 0.1 * i - 0.01
    assert server.total == 10


def test_another_attempt_counts_as_a_request(server: Any, llm: Llm, questions: Questions) -> None:
    server.faults["question 0"] = [server.status(500)] * 4
    start = time.monotonic()
    llm(requests_per_minute=600).ask(questions(1), "task")
    assert len(server.all_arrivals) == 5
    assert server.all_arrivals[-1] - start >= 0.39


def test_an_interrupt_ends_soon_and_keeps_what_has_come(
    server: Any, llm: Llm, questions: Questions, tmp_path: Path
) -> None:
    server.faults["question 3"] = [server.hang()]
    server.faults["question 4"] = [server.status(500)] * 9
    script = (
        "import sys; from pathlib import Path\n"
        "from slmroute_plugin.llm.client import OpenAiLlm\n"
        "from slmroute_plugin.llm.exchange import Request\n"
        "from slmroute_plugin.llm.settings import LlmSettings\n"
        "settings = LlmSettings(model='gpt-4.1-mini', base_url=sys.argv[1], max_concurrency=2)\n"
        "asked = [Request([{'role': 'user', 'content': f'question {i}'}], {'temperature': 0.0})\n"
        "         for i in range(5)]\n"
        "OpenAiLlm(settings, Path(sys.argv[2]), back_off_s=3600.0).ask(asked, 'task')\n"
    )
    command = [sys.executable, "-c", script, server.url, str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    ) as process:
        assert server.is_hanging.wait(60)
        while not server.asked["question 4"]:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    last = errors.rstrip().splitlines()[-1]
    assert last.startswith("KeyboardInterrupt: task: stopped with")
    assert last.endswith("llm.sqlite: the same command goes on from there")
    replies = llm().ask(questions(5), "task")
    assert [reply.cached for reply in replies] == [True] * 3 + [False] * 2
