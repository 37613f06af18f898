"""`slmroute tasks new` and `slmroute tasks check`: a task of one's own, begun and checked."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from slmroute_plugin.task.checking import TaskCheck


class Kind(str, Enum):
    """The kind of answer to a task's questions."""

    choice = "choice"
    boolean = "boolean"
    free = "free"


class FreeRule(str, Enum):
    """The rules by which free answers are scored."""

    number = "number"
    math = "math"
    match = "match"


def new(
    name: Annotated[str, typer.Argument(help="A name for the task.", show_default=False)],
    data: Annotated[
        Path, typer.Option(help="JSON lines: a row for each question.", show_default=False)
    ],
    kind: Annotated[
        Kind,
        typer.Option(
            help="choice (the letter of an option), boolean (true or false) or free.",
            show_default=False,
        ),
    ],
    train: Annotated[
        Path | None,
        typer.Option(help="JSON lines of other questions, for probes and few-shot examples."),
    ] = None,
    question: Annotated[str, typer.Option(help="The column of the question.")] = "question",
    answer: Annotated[
        str,
        typer.Option(
            help="The column of the right answer: for a choice, a letter, a number from 0 on or an "
            "option's text; for a boolean, true or false, or yes or no; else a text, a number or a "
            "list of texts."
        ),
    ] = "answer",
    options: Annotated[str, typer.Option(help="The column of the options, a list.")] = "options",
    rule: Annotated[
        FreeRule | None,
        typer.Option(
            help="How free answers are scored; default: number if all answers are numbers, else "
            "match."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("my_tasks"),
) -> None:
    """Write the file of a task over rows of one's own, and replies to check its scoring with.

    The file has a comment on each key, and is yours to change. `slmroute tasks check` shows what
    it asks and how it scores; lm-eval runs it with --include_path.

    Example: slmroute tasks new trivia --data trivia.jsonl --kind free

    Example: slmroute tasks check my_tasks/trivia.yaml
    """
    from slmroute_plugin.importing.faults import ImportFault
    from slmroute_plugin.task.answer_styles import DataColumns
    from slmroute_plugin.task.new_files import new_task_files

    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise typer.BadParameter(
            f"{name!r}: letters, digits, underscores, points and dashes are needed.",
            param_hint="NAME",
        )
    if rule is not None and kind is not Kind.free:
        raise typer.BadParameter("it goes with --kind free alone.", param_hint="--rule")
    columns = DataColumns(question, answer, options)
    try:
        files = new_task_files(name, kind.value, data, train, columns, rule.value if rule else None)
    except ImportFault as error:
        typer.echo(f"{error}\nNothing was written.", err=True)
        raise typer.Exit(1) from None
    if there := [out / file.name for file in files if (out / file.name).exists()]:
        typer.echo(f"{there[0]} is there already. Nothing was written.", err=True)
        raise typer.Exit(1)
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        (out / file.name).write_text(file.text, encoding="utf-8")
        typer.echo(f"Written: {out / file.name}")
    typer.echo(f"Now look at it: slmroute tasks check {out / files[0].name}")


def check(
    file: Annotated[Path, typer.Argument(help="A task's YAML file.", show_default=False)],
) -> None:
    """Show how a task asks and scores, before any model is loaded.

    Render the first three questions; score a right, a wrong and an empty reply to each, and the
    replies in NAME_replies.jsonl beside the file; look at all rows; and say what is missing. If a
    reply is scored wrongly or a row cannot be used, the exit status is 1.

    Example: slmroute tasks check my_tasks/trivia.yaml
    """
    from slmroute_plugin.importing.faults import ImportFault
    from slmroute_plugin.task.checking import check_task_file

    try:
        checked = check_task_file(file)
    except ImportFault as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    _show(checked)
    if not checked.is_sound:
        raise typer.Exit(1)


def _show(checked: TaskCheck) -> None:
    # Brackets in questions are no markup.
    console = Console(markup=False, highlight=False)
    console.print(f"{checked.task}: {checked.rows} rows, scored by the rule {checked.rule}")
    for question in checked.questions:
        console.rule(f"row {question.row}", align="left")
        console.print(question.text)
        console.print(f"[right: {', '.join(question.targets) or 'nothing'}]")
    table = Table(
        Column("Row", justify="right"),
        Column("Reply", overflow="fold"),
        Column("Read as", overflow="fold"),
        "Scored",
        "",
        title="Replies",
    )
    for reply in checked.replies:
        table.add_row(
            str(reply.row),
            repr(reply.reply),
            "nothing" if reply.answer is None else reply.answer,
            "right" if reply.correct else "wrong",
            "SHOULD BE " + ("right" if reply.expected else "wrong") if reply.is_fault else "",
        )
    console.print(table)
    for fault in checked.faults:
        console.print(f"Wrong: {fault}", soft_wrap=True)
    for each in checked.missing:
        console.print(f"Missing: {each}", soft_wrap=True)
    console.print("All is as it should be." if checked.is_sound else "Something is wrong.")
