"""From a row's texts to a backend's question."""

from __future__ import annotations

from typing import Any

import pytest

from slmroute_plugin.backends import Question, Span
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Missing
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import REQUEST_TYPE
from slmroute_plugin.scoring import Reference, rule
from slmroute_plugin.signals import Restated
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.task.questions import AskedRow, question_of
from slmroute_plugin.task.row_checks import RowError

STATED = Restated("Say how sure you are.")
ROW = AskedRow(
    query="Which is red?",
    text="Which is red?\nA. sky\nB. blood",
    restated={STATED: "Which is red?\nA. sky\nB. blood\n\nSay how sure you are."},
    reference=Reference(("B",), ("sky", "blood")),
)
MESSAGES = [Message(role="user", content=ROW.text)]


def asked(prompt: Any, row: AskedRow = ROW) -> Question:
    instance = RoutedInstance(
        request_type=REQUEST_TYPE,
        doc={},
        arguments=(prompt, {"until": ["\n\n"]}, {}),
        idx=0,
        metadata=("mine", 7, 1),
        messages=MESSAGES,
    )
    return question_of(row, rule("choice"), instance, chat=True)


def test_a_question_is_its_prompt_and_what_is_known_of_it() -> None:
    prompt = f"<user>{ROW.text}</user>"
    question = asked(prompt)
    assert (question.prompt, question.text, question.kind) == (prompt, ROW.text, "choice")
    assert question.generation == {"until": ["\n\n"]}
    assert question.chat
    assert question.messages == MESSAGES
    assert question.identity == question_identity("which is red")
    assert question.located_by == ("choice", *ROW.reference.options)
    assert question.locate is not None
    assert question.locate("I say B.") == Span(6, 7)
    assert question.locate("I do not know") is None


def test_a_restated_question_stands_where_the_last_one_stood() -> None:
    # The same question among the examples stays as it is.
    question = asked(f"<user>{ROW.text}</user>B<user>{ROW.text}</user>")
    assert question.restated == {
        STATED: f"<user>{ROW.text}</user>B<user>{ROW.restated[STATED]}</user>"
    }
    assert question.restated_text == ROW.restated


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("<user>WHICH IS RED?</user>", "the chat template changed the question's text"),
        ([{"role": "user", "content": ROW.text}], "the prompt is not a text"),
    ],
)
def test_where_it_cannot_be_restated_it_says_why(prompt: Any, why: str) -> None:
    assert asked(prompt).restated == {STATED: Missing(why)}


def test_a_row_that_cannot_be_asked_is_named() -> None:
    row = AskedRow("  ", "", {}, Reference(("A",), ("sky",)))
    with pytest.raises(RowError, match="mine, doc_id 7: the question is empty"):
        asked("<user></user>", row)
