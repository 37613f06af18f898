"""An earlier run's answers: each for its own question, and none for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slmroute_plugin.conversation import messages_hash
from slmroute_plugin.llm.exchange import LlmError, LlmReply, LlmRequest
from slmroute_plugin.llm.replay import ReplayLlm

NAME = "samples_{task}_2026-01-0{day}T10-00-00.000000.jsonl"


def question(i: int, task: str = "sums", ask: str = "") -> LlmRequest:
    content = ask or f"{task}: {i} + {i}?"
    return LlmRequest([{"role": "user", "content": content}], {}, task, f"{i:064}")


def row(request: LlmRequest, text: str | None, **changes: Any) -> dict[str, Any]:
    arguments = {"gen_args_0": {"arg_0": "…", "arg_2": {}}}
    arguments["gen_args_0"]["arg_2"] = {"messages_hash": messages_hash(request.messages)}
    made = {
        "doc_id": int(request.doc_hash),
        "doc_hash": request.doc_hash,
        "filter": "slm",
        "arguments": arguments,
        "resps": [[text]],
        "filtered_resps": [text],
        "answer": "7",
    }
    return made | changes


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., ReplayLlm]:
    """Writes sample files, and makes a replay of them."""

    def write(rows: list[dict[str, Any]], task: str = "sums", day: int = 1) -> ReplayLlm:
        folder = tmp_path / "gpt-4.1-mini"
        folder.mkdir(exist_ok=True)
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        (folder / NAME.format(task=task, day=day)).write_text(lines)
        return ReplayLlm(folder)

    return write


def test_answers_come_by_question_in_the_order_of_the_questions(record: Any) -> None:
    llm = record([row(question(i), f"it is {2 * i}") for i in range(5)])
    replies = llm.ask([question(3), question(0), question(3)], "sums")
    assert replies == [LlmReply(text=f"it is {n}", cached=True) for n in (6, 0, 6)]
    assert llm.name == "gpt-4.1-mini"


def test_tasks_with_the_same_rows_are_told_apart(record: Any) -> None:
    record([row(question(1, "sums"), "two")], "sums")
    llm = record([row(question(1, "words"), "a word")], "words")
    replies = llm.ask([question(1, "words"), question(1, "sums")], "both")
    assert [reply.text for reply in replies] == ["a word", "two"]


def test_rows_that_were_asked_in_two_ways_are_told_apart(record: Any) -> None:
    other = question(1, ask="in other words?")
    llm = record([row(question(1), "two"), row(other, "deux")])
    assert [reply.text for reply in llm.ask([other, question(1)], "sums")] == ["deux", "two"]


def test_the_newest_file_of_a_task_counts(record: Any) -> None:
    record([row(question(1), "new")], day=3)
    llm = record([row(question(1), "old")], day=2)
    assert [reply.text for reply in llm.ask([question(1)], "sums")] == ["new"]


def test_rows_of_another_filter_do_not_count(record: Any) -> None:
    llm = record([row(question(1), "routed", filter="routed"), row(question(1), "own")])
    assert [reply.text for reply in llm.ask([question(1)], "sums")] == ["own"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "7"),
        ({"resps": None, "filtered_resps": None}, "7"),
        ({"resps": [], "filtered_resps": [[]]}, "7"),
        ({"resps": [[""]], "filtered_resps": [""]}, "7"),
        ({"filtered_resps": None, "resps": [["so: 8"]]}, "so: 8"),
        ({"filtered_resps": "so: 8"}, "so: 8"),
    ],
)
def test_where_the_reply_may_not_be_passed_on_the_final_answer_stands_for_it(
    changes: dict[str, Any], text: str, record: Any
) -> None:
    whole = row(question(1), None)
    del whole["resps"], whole["filtered_resps"]
    llm = record([whole | changes])
    assert llm.ask([question(1)], "sums") == [LlmReply(text=text, cached=True)]


def test_missing_and_different_questions_are_counted_and_named(record: Any) -> None:
    llm = record([row(question(i), "yes") for i in range(10)])
    asked = [*(question(i) for i in range(8)), question(8, ask="other?"), question(77)]
    with pytest.raises(LlmError) as caught:
        llm.ask(asked, "my sums")
    text = str(caught.value)
    assert text.startswith("2 of 10 questions of my sums cannot be answered from ")
    assert f"row {question(8).doc_hash[:12]}… (doc_id 8) was asked in other words" in text
    assert f"row {question(77).doc_hash[:12]}… is missing" in text


def test_of_many_missing_questions_three_are_named(record: Any) -> None:
    llm = record([row(question(1), "yes")])
    with pytest.raises(LlmError, match=r"^50 of 51 questions") as caught:
        llm.ask([question(i) for i in range(51)], "sums")
    assert str(caught.value).count("is missing") == 3
    assert "; …. Run" in str(caught.value)


@pytest.mark.parametrize("arguments", [None, {}, {"gen_args_0": {"arg_0": "?"}}, [["?"]]])
def test_a_row_that_does_not_tell_what_was_asked_is_not_trusted(
    arguments: Any, record: Any
) -> None:
    llm = record([row(question(1), "yes", arguments=arguments)])
    with pytest.raises(LlmError, match="does not tell what was asked"):
        llm.ask([question(1)], "sums")


def test_a_task_that_was_not_run_is_named_beside_those_that_were(record: Any) -> None:
    llm = record([row(question(1), "yes")])
    with pytest.raises(LlmError, match="no samples of words to replay; it has: sums"):
        llm.ask([question(1, "words")], "words")


def damaged(record: Any, tmp_path: Path, change: Callable[[list[str]], list[str]]) -> ReplayLlm:
    llm: ReplayLlm = record([row(question(i), f"it is {2 * i}") for i in range(4)])
    path = tmp_path / "gpt-4.1-mini" / NAME.format(task="sums", day=1)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    return llm


DAMAGE: dict[str, tuple[Callable[[list[str]], list[str]], set[int], str]] = {
    "an empty line": (lambda lines: [*lines[:2], "", *lines[2:]], set(), "line 3"),
    "two rows in a line": (lambda lines: [lines[0] + lines[1], *lines[2:]], {0, 1}, "line 1"),
    "cut off": (lambda lines: [*lines[:3], lines[3][:40]], {3}, "line 4"),
    "a list": (lambda lines: [lines[0], "[1]", *lines[2:]], {1}, "line 2"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_line_costs_its_own_answer_and_is_named(
    name: str, record: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change, lost, line = DAMAGE[name]
    replies = damaged(record, tmp_path, change).ask([question(i) for i in range(4)], "sums")
    for i, reply in enumerate(replies):
        assert reply.text == (None if i in lost else f"it is {2 * i}")
        assert (reply.error is not None and line in reply.error) == (i in lost)
    assert line in caplog.text


def test_more_rows_are_missing_than_a_damaged_line_explains(record: Any, tmp_path: Path) -> None:
    llm = damaged(record, tmp_path, lambda lines: [*lines[:3], lines[3][:40]])
    with pytest.raises(LlmError, match=r"^2 of 2 questions.*line 4"):
        llm.ask([question(3), question(9)], "sums")


@pytest.mark.parametrize("text", ["", "  \n", None])
def test_an_answer_that_was_recorded_without_a_text_is_not_an_answer(
    text: str | None, record: Any
) -> None:
    llm = record([row(question(1), text, answer=None), row(question(2), "four")])
    first, second = llm.ask([question(1), question(2)], "sums")
    assert first == LlmReply(error="the recording holds no text of the answer")
    assert second.text == "four"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LlmError, match=r"nowhere.* is not a folder"):
        ReplayLlm(tmp_path / "nowhere").ask([question(1)], "sums")
