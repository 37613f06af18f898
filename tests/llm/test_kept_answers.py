"""What is kept of an answer, and when it is not asked for again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ctrl_c import heed_ctrl_c
from llm_clients import Llm, Questions

from slmroute_plugin.llm.exchange import LlmReply


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
    assert reply.latency_s
    assert not reply.cached


def test_a_rerun_asks_nothing_and_a_cached_answer_keeps_what_it_cost(
    server: Any, llm: Llm, questions: Questions
) -> None:
    first = llm().ask(questions(5), "task")
    again = llm().ask(questions(5), "task")
    assert server.total == 5
    assert again == [LlmReply(**{**vars(reply), "cached": True}) for reply in first]
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


def test_an_interrupt_ends_soon_and_keeps_what_has_come(
    server: Any, llm: Llm, questions: Questions, tmp_path: Path
) -> None:
    server.faults["question 3"] = [server.hang()]
    server.faults["question 4"] = [server.status(500)] * 9
    script = (
        "import sys; from pathlib import Path\n"
        "from slmroute_plugin.llm.client import OpenAiLlm\n"
        "from slmroute_plugin.llm.exchange import LlmRequest\n"
        "from slmroute_plugin.llm.settings import LlmSettings\n"
        "settings = LlmSettings(model='gpt-4.1-mini', base_url=sys.argv[1], max_concurrency=2)\n"
        "chats = [[{'role': 'user', 'content': f'question {i}'}] for i in range(5)]\n"
        "asked = [LlmRequest(chat, {'temperature': 0.0}) for chat in chats]\n"
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
