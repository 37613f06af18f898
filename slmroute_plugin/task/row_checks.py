"""The checks of a task's rows, which show a row that cannot be used before the first token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from string import ascii_uppercase
from typing import Any

import jinja2

from slmroute_plugin.scoring import Reference


class RowError(ValueError):
    """An error for a row of a data set that cannot be used; its text names task, row and fault."""


def check_row(where: str, question: str, kind: str, reference: Reference) -> None:
    """Check that a row can be asked and scored.

    Args:
        where: The name of the task and the row, for the message.
        question: The question's own text.
        kind: The kind of answer that is expected.
        reference: The answers that replies are compared with.

    Raises:
        RowError: If the question is empty, or if the options do not fit the letters.
    """
    if not question.strip():
        raise RowError(f"{where}: the question is empty. Leave the row out of the data set.")
    if kind != "choice":
        return
    letters = ascii_uppercase[: len(reference.options)]
    if len(reference.options) > len(ascii_uppercase):
        raise RowError(
            f"{where}: {len(reference.options)} options are more than there are letters."
        )
    for target in reference.targets:
        if letters and target.strip().upper() not in letters:
            raise RowError(
                f"{where}: the right answer is {target!r}, but the row has "
                f"{len(reference.options)} options ({letters[0]} to {letters[-1]})."
            )


@contextmanager
def named_columns(task: str, doc: Mapping[str, Any]) -> Iterator[None]:
    """Name the task and the row's columns in errors of a `with` block that fills a template.

    Raises:
        RowError: If the row lacks a column that a template names.
    """
    try:
        yield
    except (jinja2.UndefinedError, KeyError) as error:
        raise RowError(
            f"{task}: {error}. The row's columns are: {', '.join(map(str, doc))}."
        ) from error


@contextmanager
def named_template(task: str) -> Iterator[None]:
    """Name the task and the fix in errors of a `with` block that fills a chat template.

    Raises:
        RowError: If the chat template raises an error.
    """
    try:
        yield
    except jinja2.TemplateError as error:
        raise RowError(
            f"{task}: the chat template of the model cannot be filled ({error}). Run without "
            "--apply_chat_template, or without --system_instruction and few-shot turns if it "
            "takes none."
        ) from error
