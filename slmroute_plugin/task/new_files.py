"""The files of a task of one's own: its YAML, the same for its training rows, and replies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slmroute_plugin.importing.faults import Faults, ImportFault
from slmroute_plugin.importing.tables import TableRow, read_table
from slmroute_plugin.nearest import did_you_mean
from slmroute_plugin.observation import AnswerKind
from slmroute_plugin.task.answer_styles import TRUE, AnswerStyle, DataColumns, answer_styles
from slmroute_plugin.task.new_template import task_text, training_text
from slmroute_plugin.task.wrapped_files import TaskFile

REPLIES = "_replies.jsonl"


def new_task_files(
    name: str,
    kind: AnswerKind,
    data: Path,
    train: Path | None = None,
    columns: DataColumns | None = None,
    rule: str | None = None,
) -> list[TaskFile]:
    """Return the files of a task over rows of one's own.

    Args:
        name: The name of the task.
        kind: The kind of answer.
        data: JSON lines with the rows to evaluate.
        train: JSON lines with the rows that probes are trained on, and that few-shot examples are
            taken from; None for none.
        columns: The columns of both files; by default `question`, `answer` and `options`.
        rule: The scoring rule of free answers; None for `number` if all answers are numbers, else
            `match`.

    Raises:
        ImportFault: If a file cannot be used; names the lines.
    """
    named = columns or DataColumns()
    rows = _rows(data, kind, named)
    style = _style(data, kind, rows, named, rule)
    splits = {"test": data.resolve()}
    files = [TaskFile(f"{name}{REPLIES}", _replies(style, rows[0], named))]
    if train is not None:
        theirs = _style(train, kind, _rows(train, kind, named), named, rule)
        if theirs.words != style.words:
            raise ImportFault(
                f"{train}: an answer is {theirs.words}, but in {data} it is {style.words}."
            )
        splits["train"] = train.resolve()
        files.append(TaskFile(f"{name}_train.yaml", training_text(name)))
    return [TaskFile(f"{name}.yaml", task_text(name, kind, splits, named, style)), *files]


def wrong_number(answer: str) -> str:
    """Return a number other than the one that an answer writes.

    Raises:
        ValueError: If the answer does not write a number.

    >>> wrong_number("7"), wrong_number("1,000,000")
    ('8', '1.001e+06')
    """
    number = float(answer.replace(",", ""))
    # Six digits are written, in which a million and one would be a million.
    return f"{number + max(1.0, abs(number) // 1000):g}"


def _rows(path: Path, kind: AnswerKind, columns: DataColumns) -> list[TableRow]:
    """Return the rows of a data file, with the columns checked but for the answer.

    Raises:
        ImportFault: If the file cannot be used.
    """
    if path.suffix.lower() != ".jsonl":
        raise ImportFault(f"{path}: rows as JSON lines, in a file that ends in .jsonl, are needed.")
    faults = Faults(path)
    rows = list(read_table(path, faults))
    faults.check()
    if not rows:
        raise ImportFault(f"{path}: it holds no rows.")
    header = list(dict.fromkeys(name for row in rows for name in row.values))
    needed = columns._asdict() if kind == "choice" else columns._asdict() | {"options": None}
    for part, name in needed.items():
        if name is not None and name not in header:
            raise ImportFault(
                f"{path}: there is no column {name!r}: name that of the {part} with --{part}. "
                f"{did_you_mean(name, header)}"
            )
        if name is not None and not name.isidentifier():
            raise ImportFault(
                f"{path}: the column {name!r} cannot be named in a template: call it otherwise, "
                "with letters, digits and underscores."
            )
    seen: dict[str, str] = {}
    for row in rows:
        question = row.values.get(columns.question)
        if not isinstance(question, str) or not question.strip():
            faults.add(row.where, f"`{columns.question}` is {question!r}: a text is needed")
        elif question in seen:
            faults.add(row.where, f"the question is there already, on {seen[question]}")
        else:
            seen[question] = row.where
        if kind == "choice" and (fault := _options_fault(row.values.get(columns.options))):
            faults.add(row.where, f"`{columns.options}` {fault}")
    faults.check()
    return rows


def _options_fault(options: Any) -> str | None:
    """Return what is wrong with the options of a row; None if nothing is."""
    if not isinstance(options, list) or not all(isinstance(each, str) for each in options):
        return f"is {options!r}: a list of texts is needed"
    if not 2 <= len(options) <= 26:
        return f"holds {len(options)} options: 2 to 26 are needed"
    return None


def _style(
    path: Path,
    kind: AnswerKind,
    rows: Sequence[TableRow],
    columns: DataColumns,
    rule: str | None,
) -> AnswerStyle:
    """Return the way in which the answers of all rows are written.

    Raises:
        ImportFault: If there is none; names the rows that do not fit the way of the most rows.
    """
    styles = answer_styles(kind, columns, rule)
    told: list[Faults] = []
    for style in styles:
        faults = Faults(path)
        for row in rows:
            answer, options = row.values.get(columns.answer), row.values.get(columns.options)
            if not style.fits(answer, options if isinstance(options, list) else []):
                faults.add(row.where, f"`{columns.answer}` is {answer!r}, not {style.words}")
        if not len(faults):
            return style
        told.append(faults)
    min(told, key=len).check()
    raise AssertionError  # the check raises


def _replies(style: AnswerStyle, row: TableRow, columns: DataColumns) -> str:
    """Return replies to the first question, with what the scoring is to say of each."""
    answer, options = row.values[columns.answer], row.values.get(columns.options)
    right, wrong = _right_and_wrong(style, answer, options if isinstance(options, list) else [])
    replies = [
        {"row": 0, "reply": f"The answer is {right}.", "right": True},
        {"row": 0, "reply": f"The answer is {wrong}.", "right": False},
        {"row": 0, "reply": "I cannot say.", "right": False},
    ]
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in replies)


def _right_and_wrong(style: AnswerStyle, answer: Any, options: Sequence[str]) -> tuple[str, str]:
    if style.rule == "choice":
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]
        at = answer if isinstance(answer, int) else -1
        if isinstance(answer, str):
            at = letters.index(answer) if answer in list(letters) else list(options).index(answer)
        return letters[at], letters[at - 1]
    if style.rule == "boolean":
        is_true = str(answer).strip().lower() in TRUE
        return ("True", "False") if is_true else ("False", "True")
    if style.rule == "number":
        return str(answer), wrong_number(str(answer))
    return (answer[0] if isinstance(answer, list) else answer), "something else"
