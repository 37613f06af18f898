"""What is sent to a server: messages, parameters and the key, as they are."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llm_clients import Llm, Questions

from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.llm.settings import LlmSettings


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
    llm().ask([LlmRequest(messages, generation)], "task")
    assert server.bodies == [{"model": "gpt-4.1-mini", "messages": messages, **generation}]


def test_settings_replace_parameters_and_null_leaves_one_out(server: Any, llm: Llm) -> None:
    request = LlmRequest([{"role": "user", "content": "?"}], {"max_tokens": 64, "temperature": 0.0})
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
    request = LlmRequest([{"role": "user", "content": "?"}], {"max_tokens": 64})
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


def test_it_can_be_asked_where_an_event_loop_runs(
    server: Any, llm: Llm, questions: Questions, assert_in_order: Any
) -> None:
    async def notebook() -> list[LlmReply]:
        return llm().ask(questions(5), "task")

    replies = asyncio.run(notebook())
    assert_in_order(replies)
    assert server.total == 5
