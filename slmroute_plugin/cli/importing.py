"""The command `slmroute import`: results of another tool as a run that a report reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_results(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .csv, .tsv, .jsonl or .parquet file, or a manager that lm-polygraph saved "
            "(.man).",
            show_default=False,
        ),
    ],
    columns: Annotated[
        list[str],
        typer.Option(
            help="PART=COLUMN, with commas between several, or given several times. PART is id, "
            "question, correct, answer, reference, options, false_answers, logprobs, samples, "
            "cost_usd or confidence/NAME; the COLUMN of a confidence may be written as 1-COLUMN, "
            "exp(-COLUMN) or COLUMN/100.",
            show_default=False,
        ),
    ],
    model: Annotated[str, typer.Option(help="The model that answered.", show_default=False)],
    task: Annotated[str, typer.Option(help="A name for the questions.", show_default=False)],
    scoring: Annotated[
        str | None,
        typer.Option(
            help="The rule by which answers are compared with references: boolean, choice, match, "
            "math, number or rouge. Default: the column `correct` says what is right."
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Take an empty cell, null or NaN under a confidence for an answer without one; "
            "default: an error.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="The folder of results to write to.")] = Path("results"),
) -> None:
    """Turn a file of another tool into a run that `slmroute report` and `calibrate` read.

    A file without confidences becomes a plain run, the answers of an LLM to route to. Two files
    are about the same questions where their ids, or without ids their questions, are the same.
    Nothing is guessed: a value that is missing, twice there or out of range is named by its line,
    and nothing is written.

    Example: slmroute import answers.csv --model my-slm --task trivia
    --columns question=prompt,correct=is_right,confidence/p=score

    Example: slmroute import uqlm.jsonl --model my-slm --task sums --scoring number
    --columns question=prompt,answer=response,reference=truth,logprobs=logprob
    """
    from slmroute_plugin.importing.faults import ImportFault
    from slmroute_plugin.importing.runs import ImportSettings, import_file

    settings = ImportSettings(model, task, columns, scoring, allow_missing)
    try:
        run = import_file(file, out, settings)
    except ImportFault as error:
        typer.echo(f"{error}\nNothing was written.", err=True)
        raise typer.Exit(1) from None
    said = f"{run.rows} answers written to {run.path}"
    if run.confidences:
        typer.echo(f"{said}, with the confidences {', '.join(run.confidences)}.")
    else:
        typer.echo(f"{said}, without confidences: a model to route to.")
