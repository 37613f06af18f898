"""Final answers are found and compared by the task's rule, which is not told what is right."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.scoring import Extracted, Reference, Rule, rule
from slmroute_plugin.scoring.final_answers import FinalAnswers

REPLIES = (
    "",
    " \n",
    "7",
    "The answer is 7.0.",
    "2 million",
    "2000000",
    r"\boxed{\frac{1}{2}}",
    "0.5",
    "B",
    "(b) Lyon",
    "Yes.",
    "It is not true.",
    "red",
    "It was red and blue",
    "Paris is the capital of France.",
    "\u5317\u4eac",
)


class Watched(Rule):
    """A rule that writes down the references that it is handed."""

    name: ClassVar[str] = "watched"
    kind: ClassVar[AnswerKind] = "free"

    def __init__(self) -> None:
        self.seen: list[Reference] = []

    def find(self, text: str, reference: Reference) -> Extracted | None:
        self.seen.append(reference)
        return Extracted(text, 0, len(text))

    def correct(self, answer: str, reference: Reference) -> bool:
        self.seen.append(reference)
        return answer.lower() in reference.targets


def test_the_right_answer_is_not_told() -> None:
    watched = Watched()
    answers = FinalAnswers(watched, Reference(("gold",), ("one", "two"), ("false",)))
    assert answers.same("a", "A") and not answers.same("a", "b")
    assert answers.final("a") == "a"
    told = {word for each in watched.seen for word in (*each.targets, *each.false_answers)}
    assert told <= {"a", "A", "b"}
    assert any(each.options == ("one", "two") for each in watched.seen)


@pytest.mark.parametrize("name", ["choice", "boolean", "number", "math", "match", "rouge"])
@given(one=st.sampled_from(REPLIES), other=st.sampled_from(REPLIES))
def test_sameness_is_symmetric_and_true_of_itself(name: str, one: str, other: str) -> None:
    answers = FinalAnswers(rule(name), Reference(("7",), ("Paris", "Lyon")))
    assert answers.same(one, other) == answers.same(other, one)
    assert answers.same(one, one)


def test_what_was_computed_is_not_computed_again() -> None:
    watched = Watched()
    answers = FinalAnswers(watched, Reference(()))
    for _ in range(3):
        answers.same("a", "b")
        answers.same("b", "a")
    # Two texts are read; the pair is compared in both directions.
    assert len(watched.seen) == 4
