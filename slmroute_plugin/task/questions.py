"""One row of a task as it is asked: from its texts to a backend's question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmroute_plugin.backends import Question
from slmroute_plugin.backends.contract import Span
from slmroute_plugin.observation import Missing
from slmroute_plugin.scoring import Reference, Rule
from slmroute_plugin.signals import Restated
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.task.row_checks import check_row

if TYPE_CHECKING:
    from slmroute_plugin.run.instance import RoutedInstance


@dataclass(frozen=True)
class AskedRow:
    """What a row says.

    Attributes:
        query: the question's own text, which it is known by.
        text: the user turn: the question, its instruction and the cue.
        restated: the user turn of each restated question.
        reference: what a reply is held against.
    """

    query: str
    text: str
    restated: Mapping[Restated, str]
    reference: Reference


def question_of(row: AskedRow, rule: Rule, instance: RoutedInstance, chat: bool) -> Question:
    """The question for the backend.

    Args:
        row: what is asked.
        rule: by which replies are scored.
        instance: lm-eval's request, with the prompt and how it is to be answered.
        chat: whether the prompt went through the chat template.

    Raises:
        RowError: the row cannot be asked or scored as it is.
    """
    where = f"{instance.task_name}, doc_id {instance.doc_id}"
    check_row(where, row.query, rule.kind, row.reference)
    prompt, generation = instance.arguments[:2]

    def locate(reply: str) -> Span | None:
        found = rule.extract(reply, row.reference)
        return None if found is None else Span(found.start, found.end)

    return Question(
        prompt=prompt,
        text=row.text,
        kind=rule.kind,
        generation=generation or {},
        chat=chat,
        restated={
            signal: _restated_prompt(prompt, row.text, text)
            for signal, text in row.restated.items()
        },
        messages=instance.messages,
        restated_text=row.restated,
        locate=locate,
        identity=question_identity(row.query),
    )


def _restated_prompt(prompt: Any, text: str, restated: str) -> str | Missing:
    if not isinstance(prompt, str):  # chat APIs get messages
        return Missing("the prompt is no text")
    head, found, tail = prompt.rpartition(text)
    if not found:
        return Missing("the chat template changed the question's text")
    return head + restated + tail
