"""The key is sent to the server, and appears nowhere else."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from llm_clients import Llm, Questions

from slmroute_plugin.llm.exchange import LlmError


def everything_about(error: BaseException) -> str:
    """An exception's traceback with all that led to it, local variables included.

    But for those of the test, which knows the key.
    """
    assert error.__traceback__ is not None
    error = error.with_traceback(error.__traceback__.tb_next)
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    seen = [error]
    for one in seen:
        seen += [each for each in (one.__cause__, one.__context__) if each and each not in seen]
    return shown + "".join(f"{one!r} {vars(one)}" for one in seen)


def files_below(folder: Path) -> bytes:
    """Every byte of every file, and their names."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(str(path).encode() + path.read_bytes() for path in paths)


@pytest.fixture
def quoting(server: Any, canary: str, completion: Any) -> Any:
    """A server that quotes the key wherever it can."""
    said = f"the key Bearer {canary} is\nwrong: {canary}!"
    error = {"message": said, "code": canary, "type": said}
    server.faults["question 1"] = [server.status(500, error), server.status(400, error)]
    server.faults["question 2"] = [server.status(422, said)]
    server.faults["question 3"] = [server.body({"error": {"message": said}})] * 9
    server.faults["question 4"] = [server.body(completion(None, message={"refusal": said}))]
    server.faults["question 5"] = [server.body(completion(said, finish_reason=said))]
    server.faults["question 6"] = [server.body(completion(None, finish_reason=said))]
    server.faults["question 7"] = [server.cut()] * 9
    server.faults["question 8"] = [server.hang()] * 9
    server.faults["question 9"] = [server.raw(said)] * 9
    return server


def test_replies_logs_cache_and_screen_never_hold_the_key(
    quoting: Any,
    llm: Llm,
    questions: Questions,
    canary: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        client = llm(max_attempts=2, timeout_s=0.5)
        replies = client.ask(questions(10), "secrets")
    assert quoting.authorization == [f"Bearer {canary}"] * quoting.total
    assert "openai" in {record.name.split(".")[0] for record in caplog.records}
    assert "[key]" in repr(replies)
    for shown in (repr(replies), caplog.text, *capfd.readouterr(), repr(vars(client))):
        assert canary not in shown
    for record in caplog.records:
        assert canary not in repr(vars(record))
    assert b"answer to question 0" in files_below(tmp_path)
    assert canary.encode() not in files_below(tmp_path)


@pytest.mark.parametrize("status", [401, 404])
def test_an_error_and_all_that_led_to_it_never_hold_the_key(
    status: int,
    server: Any,
    llm: Llm,
    questions: Questions,
    canary: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.otherwise = server.status(status, {"message": f"no such key: {canary}"})
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(LlmError, match=r"no such key: \[key\]") as e,
    ):
        llm().ask(questions(3), "secrets")
    assert canary not in everything_about(e.value)
    assert canary not in caplog.text


@pytest.mark.parametrize(
    "key",
    ["sk-canary\r\nX-Evil: 1", "sk-canary\u2019s", "sk canary", "sk-\x00canary", "“sk-canary”"],
)
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_quote_it(
    key: str,
    server: Any,
    llm: Llm,
    questions: Questions,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "\x00" in key:
        monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": key})
    else:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with caplog.at_level(logging.DEBUG), pytest.raises(LlmError, match="OPENAI_API_KEY") as caught:
        llm().ask(questions(3), "secrets")
    for shown in (str(caught.value), caplog.text):
        assert "canary" not in shown
        assert key not in shown
    assert server.total == 0


def test_a_placeholder_for_a_key_is_not_cut_out_of_answers(
    server: Any,
    llm: Llm,
    questions: Questions,
    completion: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    server.otherwise = server.body(completion("The set is EMPTY."))
    (reply,) = llm().ask(questions(1), "secrets")
    assert reply.text == "The set is EMPTY."


def test_a_running_client_shows_no_key(llm: Llm, server: Any, canary: str) -> None:
    from slmroute_plugin.llm.endpoint_from_environment import endpoint

    where = endpoint(server.url, "OPENAI_API_KEY")
    assert canary in where.key
    assert canary not in f"{where} {where!r}"
