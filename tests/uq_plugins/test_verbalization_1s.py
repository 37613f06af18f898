from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin import Missing, NoConfidence, Observation, Restated
from uq_plugins import Verbalization1S


def seen(reply: str | Missing, method: Verbalization1S | None = None) -> Observation:
    method = method or Verbalization1S()
    return Observation("q", "the greedy answer", "free", {method.asks[0]: reply})


@pytest.mark.parametrize(
    ("reply", "answer", "confidence"),
    [
        ("The answer is (B).\nConfidence: 85%", "The answer is (B).", 0.85),
        ("**B**\n\n**Confidence:** 80 %\n\n20% of them differ", "**B**", 0.8),
        ("The answer is B. Confidence: 85%", "The answer is B.", 0.85),
        ("18\nConfidence 90%", "18", 0.9),
        ("18\nConfidence is 0.9", "18", 0.9),
        ("B\nMy confidence level in this answer: 85", "B", 0.85),
        ("B\n- Confidence: 95%", "B", 0.95),
        ("# Answer\n42\n## Confidence\n85%", "# Answer\n42", 0.85),
        ("A\nConfidence (0-100):\n85", "A", 0.85),
        ("B\nConfidence：90％", "B", 0.9),
        ("I have confidence in C.\nAnswer: C\nCONFIDENCE - ninety percent",
         "I have confidence in C.\nAnswer: C", 0.9),
        # Not the confidence in what a model goes on to ask and to answer by itself.
        ("B\nConfidence: 60%\nno, C\nConfidence: 70%", "B", 0.6),
        ("5\nConfidence: 90%\n\nQuestion: 2 + 2?\nAnswer: 4\nConfidence: 20%", "5", 0.9),
        # The instruction's own form, repeated, is not a statement.
        ("Confidence: <a probability>\nB\nConfidence: 80%",
         "Confidence: <a probability>\nB", 0.8),
        ("25%\nConfidence: 70%", "25%", 0.7),
        ("Confidence: 85%\nAnswer: B", "Answer: B", 0.85),
    ],
)  # fmt: skip
def test_the_reply_is_an_answer_and_a_confidence(
    reply: str, answer: str, confidence: float
) -> None:
    method = Verbalization1S()
    assert method.answer(seen(reply)) == answer
    assert method.confidence(seen(reply)) == pytest.approx(confidence)


@pytest.mark.parametrize(
    ("reply", "answer", "reason"),
    [
        ("B, 90% likely", "B, 90% likely", "no line 'Confidence'"),
        ("", "", "no line 'Confidence'"),
        ("B\nConfidence:", "B", "holds no number"),
        ("B\nConfidence: very high", "B", "holds no number"),
        ("B\nConfidence: high\n\nQuestion: 2 + 2?\n4\nConfidence: 20%", "B", "holds no number"),
        ("B\nConfidence: 7", "B", "out of"),
        ("B\nConfidence: between 70 and 80%", "B", "range"),
        ("B\nConfidence: 120%", "B", "outside"),
        ("Confidence: 80%", "", "no answer"),
        ("**Confidence:** 80%\n", "", "no answer"),
    ],
)
def test_without_a_probability_the_answer_is_still_there(
    reply: str, answer: str, reason: str
) -> None:
    method = Verbalization1S()
    assert method.answer(seen(reply)) == answer
    with pytest.raises(NoConfidence, match=reason):
        method.confidence(seen(reply))


def test_a_reply_that_could_not_be_had_has_neither() -> None:
    missing = seen(Missing("the prompt leaves no room"))
    for read in (Verbalization1S().answer, Verbalization1S().confidence):
        with pytest.raises(NoConfidence, match="leaves no room"):
            read(missing)


def test_the_signal_carries_the_instruction() -> None:
    (signal,) = Verbalization1S().asks
    assert isinstance(signal, Restated)
    assert "\nConfidence: <" in signal.instruction
    assert signal.extra_tokens == 32


def test_an_echo_of_the_instruction_states_nothing() -> None:
    method = Verbalization1S()
    with pytest.raises(NoConfidence, match="clearly the probability"):
        method.confidence(seen(f"B\n{method.instruction}"))


def test_another_instruction_with_its_marker() -> None:
    method = dataclasses.replace(
        Verbalization1S(), instruction="End with P(correct) = a number.", marker="P(correct)"
    )
    observation = seen("B\nP(correct) = 0.9", method)
    assert method.answer(observation) == "B"
    assert method.confidence(observation) == 0.9


@pytest.mark.parametrize("marker", ["Certainty", " "])
def test_a_marker_that_the_instruction_does_not_ask_for_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        dataclasses.replace(Verbalization1S(), marker=marker)


@given(st.text(max_size=60))
def test_the_answer_is_part_of_the_reply(reply: str) -> None:
    assert Verbalization1S().answer(seen(reply)) in reply
