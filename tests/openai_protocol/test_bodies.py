"""Any JSON value is an answer, an error for one question, or a reason to ask again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import completion

from slmroute_plugin.openai_protocol.bodies import Body, parse_body, read_body
from slmroute_plugin.openai_protocol.failures import BadBody

KEYS = st.sampled_from(
    [
        *("choices", "message", "content", "refusal", "finish_reason", "type", "text"),
        *("usage", "prompt_tokens", "completion_tokens", "logprobs", "token", "logprob"),
        *("error", "code"),
    ]
)
WORDS = st.sampled_from(
    ["stop", "length", "content_filter", "error", "tool_calls", "text", "<think>", "a</think>b"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(st.characters())
    | WORDS
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=20,
)
LIKELY = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "message": st.dictionaries(KEYS, ANY_JSON) | ANY_JSON,
                    "finish_reason": WORDS | ANY_JSON,
                    "logprobs": st.fixed_dictionaries(
                        {"content": st.lists(st.dictionaries(KEYS, SCALARS)) | ANY_JSON}
                    ),
                },
            ),
            min_size=1,
        )
    },
    optional={"usage": st.dictionaries(KEYS, SCALARS) | ANY_JSON},
)


@given(ANY_JSON | LIKELY, st.none() | st.just("</think>"))
def test_any_json_value_is_a_body_or_a_bad_body(value: Any, think_end: str | None) -> None:
    try:
        body = read_body(value, think_end)
    except BadBody as bad:
        bad.args[0].encode("utf-8")
        return
    assert isinstance(body, Body)
    assert (body.text is None) != (body.error is None)
    for text in (body.text, body.error, body.finish_reason):
        (text or "").encode("utf-8")
    for count in (body.prompt_tokens, body.completion_tokens):
        assert count is None or (type(count) is int and 0 <= count <= 2**53)
    for token in body.logprobs or []:
        float(token["logprob"])


@given(st.text(st.characters()) | ANY_JSON.map(json.dumps))
def test_any_text_is_json_or_a_bad_body(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(BadBody):
            parse_body(text)
    else:
        assert json.dumps(parse_body(text)) == json.dumps(expected)


@pytest.mark.parametrize(
    ("content", "think_end", "answer"),
    [
        ("B", "</think>", "B"),
        ("<think>A or B?</think>\n\nB", "</think>", "B"),
        ("A or B?</think>B ", "</think>", "B "),
        ("<think>one</think><think>two</think>B", "</think>", "B"),
        ("[THINK]A?[/THINK]B", "[/THINK]", "B"),
        ("<think>A?</think>B", None, "<think>A?</think>B"),
        (" B", "</think>", " B"),
        ([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], None, "AB"),
        ([{"type": "thinking", "thinking": "A?"}, {"type": "text", "text": "B"}], None, "B"),
    ],
)
def test_thinking_is_cut_off(content: Any, think_end: str | None, answer: str) -> None:
    body = read_body(completion(content), think_end)
    assert (body.text, body.error) == (answer, None)


def test_thinking_that_a_stop_string_ended_is_no_answer() -> None:
    body = read_body(completion("<think>\nOkay, the user asks"), "</think>")
    assert body.text is None
    assert "a stop string of the task ended the thinking" in (body.error or "")
    assert read_body(completion("<think>A?"), None).text == "<think>A?"


@pytest.mark.parametrize(
    ("content", "think_end"),
    [
        ("<think>A or", "</think>"),
        (" \n<think>A or", "</think>"),
        ("[THINK]A or", "[/THINK]"),
        ("", None),
        ("<think>A</think>\n", "</think>"),
    ],
)
def test_tokens_that_ran_out_before_the_answer_are_no_answer(
    content: str, think_end: str | None
) -> None:
    body = read_body(completion(content, finish_reason="length"), think_end)
    assert body.text is None
    assert body.error == "the tokens ran out before the answer began: raise max_tokens"
    assert (body.prompt_tokens, body.completion_tokens) == (100, 50)


TOOL = {"tool_calls": [{"type": "function", "function": {"name": "search"}}]}
NO_ANSWER: dict[str, tuple[Any, dict[str, Any], str]] = {
    "empty": ("", {}, "the answer has no text (finish_reason stop)"),
    "blanks": (" \n\t", {}, "the answer has no text (finish_reason stop)"),
    "null": (None, {}, "the answer has no text (finish_reason stop)"),
    "no parts": ([], {}, "the answer has no text (finish_reason stop)"),
    "no reason": ("", {"finish_reason": None}, "the answer has no text (finish_reason None)"),
    "an unknown reason": ("", {"finish_reason": "odd"}, "no text (finish_reason odd)"),
    "thinking alone": (
        "", {"message": {"reasoning_content": "A or B?"}}, "the answer has no text, thinking alone"
    ),
    "thinking under another name": (
        None, {"message": {"reasoning": "A or B?"}}, "the answer has no text, thinking alone"
    ),
    "thinking in the text": ("<think>A or B?</think> \n", {}, "the answer has no text"),
    "a tool": (None, {"message": TOOL, "finish_reason": "tool_calls"}, "the model called a tool"),
    "a function": ("", {"message": {"function_call": {"name": "f"}}}, "the model called a tool"),
    "a refusal": (None, {"message": {"refusal": "I must not."}}, "the model refused: I must not."),
    "a filter": ("So", {"finish_reason": "content_filter"}, "the server's content filter"),
    "another filter": ("So", {"finish_reason": "SAFETY"}, "the server's content filter"),
    "the limit": ("", {"finish_reason": "max_tokens"}, "raise max_tokens"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_is_not_an_answer_says_why(name: str) -> None:
    content, changes, said = NO_ANSWER[name]
    body = read_body(completion(content, **changes), "</think>")
    assert body.text is None
    assert body.error is not None
    assert said in body.error


BROKEN_OFF: dict[str, tuple[Any, dict[str, Any], str]] = {
    "without words": ("", {"finish_reason": "error"}, "broke off the answer (finish_reason error)"),
    "in the choice's words": (
        "", {"finish_reason": "error", "error": {"code": 502, "message": "upstream died"}},
        "broke off the answer: upstream died",
    ),
    "after a beginning": ("The answer", {"finish_reason": "error"}, "broke off the answer"),
    "an error beside a usual reason": (
        "", {"finish_reason": "stop", "error": {"message": "busy"}}, "broke off the answer: busy"
    ),
    "aborted": ("The", {"finish_reason": "abort"}, "broke off the answer (finish_reason abort)"),
    "no room": ("", {"finish_reason": "insufficient_system_resource"}, "broke off the answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_an_answer_that_was_broken_off_is_asked_for_again(
    name: str,
) -> None:
    content, changes, said = BROKEN_OFF[name]
    with pytest.raises(BadBody) as caught:
        read_body(completion(content, **changes), "</think>")
    assert said in str(caught.value)


def test_an_error_of_the_whole_response_counts_where_there_is_no_text() -> None:
    error = {"error": {"message": "overloaded"}}
    with pytest.raises(BadBody, match="broke off the answer: overloaded"):
        read_body(completion("") | error, None)
    assert read_body(completion("B") | error, None).text == "B"


@pytest.mark.parametrize("finish", ["stop", "eos", "end_turn", "tool_calls", "odd", None, 5])
def test_a_text_is_an_answer_whatever_else_ended_it(finish: Any) -> None:
    body = read_body(completion("B", finish_reason=finish, message={"reasoning": "Hm."}), None)
    assert (body.text, body.error) == ("B", None)


@pytest.mark.parametrize(
    ("content", "stops", "answer"),
    [("A\n\nB", ["\n\n"], "A"), ("A; B, C", [",", ";"], "A"), ("A", ["B"], "A"), ("A", [], "A")],
)
def test_stop_strings_that_a_server_does_not_know_end_the_answer(
    content: str, stops: list[str], answer: str
) -> None:
    assert (
        read_body(completion(f"<think>{stops}</think>{content}"), "</think>", stops).text == answer
    )


def test_an_answer_that_was_cut_is_still_an_answer() -> None:
    body = read_body(completion("First, we", finish_reason="length"), "</think>")
    assert (body.text, body.finish_reason) == ("First, we", "length")


def test_half_a_surrogate_pair_cannot_break_a_file_later() -> None:
    body = read_body(parse_body(json.dumps(completion("a\ud83d"))), None)
    assert body.text == "a?"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"error": {"message": "overloaded"}}, "the server's answer has no choices: overloaded"),
        ({"error": "overloaded"}, "the server's answer has no choices: overloaded"),
        ({"error": None}, "the server's answer has no choices"),
        ({"choices": []}, "the server's answer has no choices"),
        ("overloaded", "the server's answer is not a JSON object"),
    ],
)
def test_a_bad_body_says_what_is_wrong(value: Any, said: str) -> None:
    with pytest.raises(BadBody) as caught:
        read_body(value, None)
    assert str(caught.value) == said
