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
WORDS = st.sampled_from(["stop", "length", "content_filter", "text", "<think>", "a</think>b"])
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
        ("<think></think>", "</think>", ""),
        ("<think>one</think><think>two</think>B", "</think>", "B"),
        ("[THINK]A?[/THINK]B", "[/THINK]", "B"),
        ("<think>A?</think>B", None, "<think>A?</think>B"),
        ("<think>A?", "</think>", "<think>A?"),
        (" B", "</think>", " B"),
        ("", "</think>", ""),
        ([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], None, "AB"),
        ([{"type": "thinking", "thinking": "A?"}, {"type": "text", "text": "B"}], None, "B"),
    ],
)
def test_thinking_is_cut_off(content: Any, think_end: str | None, answer: str) -> None:
    body = read_body(completion(content), think_end)
    assert (body.text, body.error) == (answer, None)


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
