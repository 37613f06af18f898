"""Answers on disk: complete, told apart by all that matters, and safe in several processes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_clients import Llm, Questions

from slmroute_plugin.conversation import messages_hash
from slmroute_plugin.llm.cache import AnswerCache, cache_key
from slmroute_plugin.llm.exchange import LlmError, LlmReply

REPLY = LlmReply(
    text="B — «é» 日本 \ud83d",
    prompt_tokens=10,
    completion_tokens=2,
    cost_usd=0.1,
    latency_s=0.25,
    finish_reason="stop",
    logprobs=[{"token": "B", "logprob": -0.1, "top_logprobs": [{"token": "C"}]}],
)


def test_what_is_kept_comes_back_complete_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "llm.sqlite"
    with AnswerCache(path) as cache:
        assert cache.get("a") is None
        cache.put("a", "m", REPLY)
        cache.put("b", "m", LlmReply(error="no"))
    with AnswerCache(path) as cache:
        assert cache.get("a") == LlmReply(**{**vars(REPLY), "cached": True})
        assert cache.get("b") is None


def test_it_is_json_in_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    with AnswerCache(path) as cache:
        cache.put("a", "m", REPLY)
    with sqlite3.connect(path) as plain:
        ((key, model, reply),) = plain.execute("SELECT key, model, reply FROM answers")
    assert (key, model) == ("a", "m")
    assert json.loads(reply)["text"] == REPLY.text
    assert json.loads(reply)["cost_usd"] == 0.1


def test_without_a_file_nothing_is_kept() -> None:
    with AnswerCache(None) as cache:
        cache.put("a", "m", REPLY)
        assert cache.get("a") is None


def _overwrite_pages(path: Path) -> None:
    with AnswerCache(path) as cache:
        for i in range(2000):
            cache.put(f"{i}", "m", REPLY)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.mkdir(),
        lambda path: path.parent.rmdir() or path.parent.write_text("a file"),
        _overwrite_pages,
        lambda path: sqlite3.connect(path).execute("CREATE TABLE answers (other TEXT)"),
    ],
    ids=["no database", "a folder", "below a file", "overwritten", "another table"],
)
def test_a_damaged_file_is_an_error_that_names_it_and_the_way_out(
    damage: Callable[[Path], Any], server: Any, llm: Llm, questions: Questions, tmp_path: Path
) -> None:
    path = tmp_path / "below" / "llm.sqlite"
    path.parent.mkdir()
    damage(path)
    with pytest.raises(LlmError, match=r"llm\.sqlite cannot be used .* Move it away"):
        llm(cache=path).ask(questions(3), "task")
    assert server.total == 0


@pytest.mark.parametrize("row", ["{", "[]", '{"text": "yes", "colour": 3}'])
def test_a_row_that_is_no_reply_is_an_error(row: str, tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    with AnswerCache(path) as cache:
        cache.put("a", "m", REPLY)
        with sqlite3.connect(path) as plain:
            plain.execute("UPDATE answers SET reply = ?", (row,))
        with pytest.raises(LlmError, match="cannot be used"):
            cache.get("a")


def test_a_file_that_can_no_longer_be_written_costs_no_answer(
    server: Any,
    llm: Llm,
    questions: Questions,
    assert_in_order: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "llm.sqlite"
    with AnswerCache(path), sqlite3.connect(path) as plain:
        plain.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answers "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    replies = llm(cache=path).ask(questions(5), "task")
    assert_in_order(replies)
    assert [r.getMessage() for r in caplog.records if "not kept" in r.getMessage()] == [
        f"Answers are not kept in {path}: disk is full."
    ]


OPEN_AT_ONCE = """
import sys, time
from pathlib import Path
from slmroute_plugin.llm.cache import AnswerCache
from slmroute_plugin.llm.exchange import LlmReply
path, me, start = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
time.sleep(max(0.0, start - time.time()))
with AnswerCache(path) as cache:
    for i in range(200):
        cache.put(f"{me} {i}", "m", LlmReply(text=f"{me} {i}"))
        cache.put(f"shared {i}", "m", LlmReply(text=f"shared {i}"))
        assert cache.get(f"{me} {i}").text == f"{me} {i}"
"""


def test_processes_that_open_and_write_one_file_at_once_lose_nothing(tmp_path: Path) -> None:
    import time

    path = tmp_path / "llm.sqlite"
    start = str(time.time() + 2)
    commands = [[sys.executable, "-c", OPEN_AT_ONCE, str(path), f"{i}", start] for i in range(4)]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0] * 4
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = dict(plain.execute("SELECT key, reply FROM answers"))
    expected = {f"{me} {i}" for me in ("0", "1", "2", "3", "shared") for i in range(200)}
    assert kept.keys() == expected
    assert all(json.loads(reply)["text"] == key for key, reply in kept.items())


ASK = """
import sys
from pathlib import Path
from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import LlmRequest
from slmroute_plugin.llm.settings import LlmSettings
url, results, first, last = sys.argv[1:]
settings = LlmSettings(model="gpt-4.1-mini", base_url=url, max_concurrency=4)
numbers = range(int(first), int(last))
asked = [
    LlmRequest([{"role": "user", "content": f"question {i}"}], {"temperature": 0.0})
    for i in numbers
]
replies = OpenAiLlm(settings, Path(results), back_off_s=0.001).ask(asked, "task")
assert [reply.text for reply in replies] == [f"answer to question {i}" for i in numbers]
"""


def test_two_processes_ask_on_one_file_and_a_third_run_asks_nothing(
    server: Any, llm: Llm, questions: Questions, tmp_path: Path
) -> None:
    server.otherwise = server.body(None, after_s=0.005)
    server.faults["question 30"] = [server.status(500)]
    parts = [("0", "80"), ("40", "120")]
    running = [
        subprocess.Popen([sys.executable, "-c", ASK, server.url, str(tmp_path), *part])
        for part in parts
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert set(server.asked) == {f"question {i}" for i in range(120)}
    assert max(server.asked.values()) <= 2
    before = server.total
    replies = llm().ask(questions(120), "task")
    assert [reply.text for reply in replies] == [f"answer to question {i}" for i in range(120)]
    assert all(reply.cached for reply in replies)
    assert server.total == before


texts = st.text(st.characters(), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
chats = st.lists(st.fixed_dictionaries({"role": texts, "content": texts}), max_size=3)
settings = st.dictionaries(texts, values, max_size=4)
wholes = st.tuples(texts.map(lambda text: text.rstrip("/")), texts, chats, settings)


@given(wholes, wholes)
def test_keys_differ_if_anything_differs(one: Any, other: Any) -> None:
    # As JSON, because Python takes 1, 1.0 and True for equal.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (cache_key(*one) == cache_key(*other)) == same


@given(wholes, st.integers(0, 3), st.data())
def test_keys_differ_if_one_thing_differs(one: Any, place: int, data: Any) -> None:
    changed = list(one)
    changed[place] = data.draw([texts.map(lambda t: t.rstrip("/")), texts, chats, settings][place])
    same = json.dumps(one, sort_keys=True) == json.dumps(tuple(changed), sort_keys=True)
    assert (cache_key(*one) == cache_key(*changed)) == same


@given(wholes, st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_the_order_of_parameters(one: Any, random: Any) -> None:
    url, model, messages, parameters = one
    shuffled = list(parameters.items())
    random.shuffle(shuffled)
    turned = [dict(reversed(message.items())) for message in messages]
    assert cache_key(url + "/", model, turned, dict(shuffled)) == cache_key(*one)


@given(chats, chats)
def test_a_conversation_is_known_by_its_hash(one: Any, other: Any) -> None:
    assert (messages_hash(one) == messages_hash(other)) == (one == other)
    assert messages_hash([dict(reversed(message.items())) for message in one]) == messages_hash(one)  # type: ignore[misc]
