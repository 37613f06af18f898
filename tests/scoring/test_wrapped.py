"""No verdict depends on what wraps or trails a reply; texts are our own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmroute_plugin.scoring import Reference, rule

CITIES = Reference(("B",), ("London", "Paris", "New York", "York"))
REPLIES = {
    "choice": [
        "B",
        "b) because",
        "The answer is (B).",
        "**Answer:** C. New York",
        "I lean to option D here",
        "Paris",
        "A or B",
        "First, A seems right. However C fits.\n\nC",
        "A) London\nB) Paris\n\nAnswer: B",
        "It cannot be told.",
        "答案是B。",
    ],
    "boolean": [
        "Yes",
        "False, because it is true",
        "The answer is not true.",
        "Some say yes.\n\nNo",
    ],
    "number": [
        "42",
        "The answer is 5 apples + 3 apples = 8 apples.",
        "She has 5 eggs.\nShe buys 3 and has 8.",
        "#### 1,234.5",
        "Answer: 16 - 3 = 13\n13 * 2 = 26",
        "\\boxed{\\frac{-3}{2}}",
        "It is 1.2.3",
        "none",
    ],
    "math": [
        "\\boxed{\\frac{1}{2}}",
        "The answer is 3 sqrt(2).",
        "The answer is Evelyn, since she is fastest.",
        "so $x = 5$ and $y = 2$",
        "Thus 12 ways",
        "nobody knows that",
    ],
    "match": ["a red barn", "The answer is the barn", "isn’t red", "It was here.\nNot there."],
    "rouge": ["Nothing happens.", "You fall ill\nat once"],
}
TAGS = ("answer", "final_answer", "result", "output", "p", "b", "div", "Response", "foo_bar")
TRAILING = (
    *("</s>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<｜end▁of▁sentence｜>", "[/INST]"),
    *("<|endoftext|>", "<eos>", "[EOS]", "<pad><pad>", "<unk>", "\u200b", "\ufeff", " ", "\n\n"),
    *(" ✅", "🎉", " 👍🏽", "<|im_end|>\n<|im_start|>user\nAnd what of A, or 7?"),
)
LEADING = (
    *("<s>", "[/INST] ", "<|im_start|>assistant\n", "<start_of_turn>model\n", " ", "\n", "\u200e"),
    *(
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "✅ ",
        "🤖",
        "<think>A, no, 7.</think>\n",
    ),
)
CASES = [(name, reply) for name, replies in REPLIES.items() for reply in replies]


def value(name: str, text: str) -> str | None:
    answer = rule(name).extract(text, CITIES)
    return answer.value if answer else None


@pytest.mark.parametrize(("name", "reply"), CASES)
@given(
    tag=st.sampled_from(TAGS),
    before=st.lists(st.sampled_from(LEADING), max_size=2).map("".join),
    after=st.lists(st.sampled_from(TRAILING), max_size=2).map("".join),
)
@settings(max_examples=25, deadline=None)
def test_a_wrapped_reply_says_what_the_bare_one_says(
    name: str, reply: str, tag: str, before: str, after: str
) -> None:
    said = value(name, reply)
    assert value(name, f"{before}{reply}{after}") == said
    assert value(name, f"{before}<{tag}>{reply}</{tag}>{after}") == said
    assert value(name, f"{before}[{tag.upper()}]{reply}[/{tag.upper()}]{after}") == said


@pytest.mark.parametrize(
    ("name", "reply", "named"),
    [
        ("choice", "<answer>B</answer>", "B"),
        ("choice", "<think>A</think>The answer is（Ｂ）<|im_end|>", "Ｂ"),
        ("choice", "答案是B。", "B"),
        ("choice", "<b>Paris</b>", "Paris"),
        ("choice", "<p>The answer is <strong>B</strong>.</p>", "B"),
        ("choice", "B 🙂.", "B"),
        ("boolean", "The answer is <b>Yes</b> ✅", "Yes"),
        ("number", "<answer>-١٢</answer>", "-١٢"),
        ("number", "10<sup>6</sup>", "10<sup>6</sup>"),
        ("math", "\\boxed{３}</s>", "３"),
        ("match", "<|im_start|>assistant\n«Paris»<|im_end|>", "Paris"),
        ("rouge", "Nothing<|im_end|>", "Nothing"),
    ],
)
def test_the_span_points_into_the_reply_as_it_came(name: str, reply: str, named: str) -> None:
    answer = rule(name).extract(reply, CITIES)
    assert answer is not None
    assert reply[answer.start : answer.end] == named


@pytest.mark.parametrize("name", REPLIES)
def test_thinking_that_never_ends_is_not_an_answer(name: str) -> None:
    for reply in REPLIES[name]:
        assert value(name, f"<think>{reply}") is None
        assert value(name, f"<think>{reply}</think>") is None


def test_of_several_elements_the_last_answer_counts() -> None:
    reply = "<answer>A</answer> No. <answer>C</answer> <explanation>B is near.</explanation>"
    assert value("choice", reply) == "C"
