"""What wraps an answer, in the forms that models and chat formats give it; texts are our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.reply_text import unwrapped
from slmroute_plugin.reply_text.wrapping import is_unfinished_thinking


def bare(text: str) -> str:
    return unwrapped(text).text.strip()


@pytest.mark.parametrize(
    "wrapped",
    [
        "<answer>B</answer>",
        "<Answer> B </Answer>",
        "<final_answer>B</final_answer>",
        "<result>B",
        "B</answer>",
        "[ANSWER]B[/ANSWER]",
        "[answer]B[/answer]",
        "<|begin_of_solution|>B<|end_of_solution|>",
        "I weighed A. <answer>B</answer> It was close to C.",
        "<answer>A</answer> or rather <answer>B</answer>",
        "<option>B</option>",
        "<p>B</p>",
        '<div class="a">B</div>',
        "<b>B</b>",
        "<foo>B</foo>",
        "B<br>",
        "B<br/>",
        "```\nB\n```",
        "```text\nB\n```",
    ],
)
def test_elements_are_taken_away(wrapped: str) -> None:
    assert bare(wrapped) == "B"


@pytest.mark.parametrize(
    "token",
    [
        *("</s>", "<s>", "<eos>", "<EOS>", "<pad>", "<unk>", "<eot>", "<end>", "<end_of_turn>"),
        *("<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "<|return|>", "<|user_end|>"),
        *("<｜end▁of▁sentence｜>", "<｜Assistant｜>", "[|endofturn|]", "<turn|>", "<|turn>"),
        *("[/INST]", "[EOS]", "[SEP]", "[PAD]", "<<SYS>>", "<</SYS>>", "<0x0A>", "<unused12>"),
        *("<start_of_turn>model\n", "<|im_start|>assistant\n", "<end_of_utterance>", "<eom>"),
        *("<|start_header_id|>assistant<|end_header_id|>\n\n", "<extra_id_0>", "<bos>"),
    ],
)
def test_control_tokens_are_taken_away(token: str) -> None:
    for text in (f"B{token}", f"B {token}{token}", f"{token}B", f"{token}B{token}"):
        assert bare(text) == "B", text


@pytest.mark.parametrize(
    "reply",
    [
        "<think>It is A, or C.</think>B",
        "It is A, or C.</think>\n\nB",
        "<thinking>A</thinking><answer>B</answer>",
        "[THINK]A[/THINK]B",
        "◁think▷A◁/think▷B",
        "<seed:think>A</seed:think>B",
        "<reasoning>A\nC</reasoning>\nB",
        "<think>A</think><think>C</think>B",
        "<think>It may be A. <answer>B</answer>",
        "<|begin_of_thought|>A<|end_of_thought|>B",
        "<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>B",
        "analysisThe user asks for A.assistantfinalB",
        "B<think>A",
    ],
)
def test_thinking_is_not_read(reply: str) -> None:
    assert bare(reply) == "B"
    assert not is_unfinished_thinking(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "<think>",
        "<think>The answer is B.",
        "<think>The answer is B.</think>",
        "\n<thinking>So \\boxed{B}, I think. Wait,",
        "<|channel|>analysis<|message|>The answer is B.",
        "<think>A</think>\n<think>B",
    ],
)
def test_thinking_without_an_answer_leaves_nothing(reply: str) -> None:
    assert bare(reply) == ""
    assert is_unfinished_thinking(reply)


def test_an_empty_reply_is_not_unfinished_thinking() -> None:
    assert not is_unfinished_thinking("")
    assert not is_unfinished_thinking(" \n")


@pytest.mark.parametrize(
    "reply",
    [
        "B<|im_end|>\n<|im_start|>user\nAnd what of A?<|im_end|>\n<|im_start|>assistant\nA",
        "B<end_of_turn>\n<start_of_turn>user\nA?",
        "B<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nA?",
        "B</s>[INST] What of A? [/INST] A",
        "<|assistant|>B<|user|>A?",
    ],
)
def test_the_users_next_turn_ends_the_reply(reply: str) -> None:
    assert bare(reply) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "<B>",
        "<yes>",
        "<True>",
        "<42>",
        "[B]",
        "[PARIS]",
        "[TRUE]",
        "It is <Paris>",
        "a<b and c>d",
        "x < y > z",
        "Confidence: <probability>%",
        "[1, 2)",
        "if (a<b) c>d;",
    ],
)
def test_words_in_brackets_are_not_tags(text: str) -> None:
    assert bare(text) == text


def test_raised_and_lowered_text_keeps_its_meaning() -> None:
    assert bare("10<sup>6</sup> H<sub>2</sub>O") == "10^{6} H_{2}O"


def test_what_stands_beside_the_answer_is_there_where_it_is_asked_for() -> None:
    reply = "<answer>B</answer><confidence>90%</confidence>"
    assert bare(reply) == "B"
    assert unwrapped(reply, answer_alone=False).text.split() == ["B", "90%"]


def test_the_way_back_leads_to_the_reply() -> None:
    reply = "<think>A</think> <answer>Ｂ</answer>"
    plain = unwrapped(reply)
    assert plain.text == "B"
    start, end = plain.original_span(0, 1)
    assert reply[start:end] == "Ｂ"


@given(st.text(alphabet="<>[]/|abthink answer\n_B", max_size=40))
def test_any_text_can_be_unwrapped(text: str) -> None:
    plain = unwrapped(text)
    assert len(plain.text) == len(plain.starts) == len(plain.ends)
    assert all(
        0 <= start <= end <= len(text) for start, end in zip(plain.starts, plain.ends, strict=True)
    )


@pytest.mark.parametrize("piece", ["<", "[", "<a", "<|", "<think>", "<answer>", "[INST]", "</a>"])
def test_a_long_reply_takes_no_time(piece: str) -> None:
    assert len(unwrapped(piece * 5_000).text) <= len(piece) * 5_000
