"""The ways in which a data file may write the right answers, and how a task's file reads each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

from slmroute_plugin.observation import AnswerKind

TRUE, FALSE = ("true", "yes"), ("false", "no")


class DataColumns(NamedTuple):
    """The columns of a data file.

    Attributes:
        question: The column of the question.
        answer: The column of the right answer.
        options: The column of the list of options, for choices.
    """

    question: str = "question"
    answer: str = "answer"
    options: str = "options"


class AnswerStyle(NamedTuple):
    """A way of writing the right answers.

    Attributes:
        words: What an answer is, in words.
        doc_to_target: The value of lm-eval's key of that name.
        rule: The scoring rule.
        fits: A function that says whether an answer, to a question with these options, is
            written so.
    """

    words: str
    doc_to_target: str
    rule: str
    fits: Callable[[Any, Sequence[str]], bool]


def answer_styles(kind: AnswerKind, columns: DataColumns, rule: str | None) -> list[AnswerStyle]:
    """Return the ways of writing answers of a kind, the first that fits all rows to be taken.

    Args:
        kind: The kind of answer.
        columns: The columns of the data file.
        rule: The scoring rule of free answers; None for `number` where it fits, else `match`.
    """
    answer, options = columns.answer, columns.options
    if kind == "choice":
        by_text = f"{{{{ '{ascii_uppercase}'[{options}.index({answer})] }}}}"
        return [
            AnswerStyle("the letter of an option", answer, "choice", _is_letter),
            AnswerStyle("the number of an option, from 0 on", answer, "choice", _is_index),
            AnswerStyle("the text of an option", by_text, "choice", _is_option),
        ]
    if kind == "boolean":
        words = "true or false, or yes or no"
        polarity = f"{{{{ 'true' if ({answer} | lower | trim) in {list(TRUE)} else 'false' }}}}"
        return [AnswerStyle(words, polarity, "boolean", _is_boolean)]
    number = AnswerStyle("a number", answer, "number", _is_number)
    text = AnswerStyle("a text, or a list of texts", answer, rule or "match", _is_text)
    if rule == "number":
        return [number]
    return [text] if rule else [number, text]


def _is_letter(answer: Any, options: Sequence[str]) -> bool:
    return isinstance(answer, str) and answer in list(ascii_uppercase[: len(options)])


def _is_index(answer: Any, options: Sequence[str]) -> bool:
    return isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(options)


def _is_option(answer: Any, options: Sequence[str]) -> bool:
    return isinstance(answer, str) and list(options).count(answer) == 1


def _is_boolean(answer: Any, options: Sequence[str]) -> bool:
    written = str(answer).strip().lower()
    return isinstance(answer, bool | str) and written in (*TRUE, *FALSE)


def _is_number(answer: Any, options: Sequence[str]) -> bool:
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return False
    try:
        float(str(answer).replace(",", ""))
    except ValueError:
        return False
    return True


def _is_text(answer: Any, options: Sequence[str]) -> bool:
    listed = answer if isinstance(answer, list) else [answer]
    return bool(listed) and all(isinstance(each, str) and each.strip() for each in listed)
