"""The question that a backend is asked for one row of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slmroute_plugin.backends import Question, Span
from slmroute_plugin.backends.restated import restated_prompt
from slmroute_plugin.scoring import Reference, Rule
from slmroute_plugin.signals import FirstTokenProbs, Restated
from slmroute_plugin.storage.question_identity import question_identity
from slmroute_plugin.task.row_checks import check_row

if TYPE_CHECKING:
    from slmroute_plugin.run.instance import RoutedInstance


@dataclass(frozen=True)
class AskedRow:
    """A row of a task, as it is asked.

    Attributes:
        query: The question's own text, which identifies the question.
        text: The user turn: the question, its instruction and the cue.
        restated: The user turn of each restated question, by signal.
        reference: The answers that a reply is compared with.
    """

    query: str
    text: str
    restated: Mapping[Restated | FirstTokenProbs, str]
    reference: Reference


def question_of(row: AskedRow, rule: Rule, instance: RoutedInstance, chat: bool) -> Question:
    """Make the question for the backend of a row.

    Args:
        row: The row, as it is asked.
        rule: The rule by which replies are scored.
        instance: The request of lm-eval, with the prompt and the generation settings.
        chat: Whether the prompt went through the chat template.

    Raises:
        RowError: If the row cannot be asked or scored as it is.
    """
    where = f"{instance.task_name}, doc_id {instance.doc_id}"
    check_row(where, row.query, rule.kind, row.reference)
    prompt, generation = instance.arguments[:2]

    def locate(reply: str) -> Span | None:
        option = rule.extract(reply, row.reference)
        return None if option is None else Span(option.start, option.end)

    return Question(
        prompt=prompt,
        text=row.text,
        kind=rule.kind,
        generation=generation or {},
        chat=chat,
        restated={
            signal: restated_prompt(prompt, row.text, text) for signal, text in row.restated.items()
        },
        messages=instance.messages,
        restated_text=row.restated,
        locate=locate,
        located_by=(rule.name, *row.reference.options),
        identity=question_identity(row.query),
    )
