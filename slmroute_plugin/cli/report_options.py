"""The options of `slmroute report`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Unparsed(str, Enum):
    """The treatment of answers without a confidence."""

    leave_out = "leave-out"
    route = "route"


ResultsFolder = Annotated[
    Path,
    typer.Argument(
        help="Folder of results: the --output_path of your runs; or a log of slmroute serve."
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder to write to.")]
ResamplesOption = Annotated[
    int, typer.Option(min=0, help="Bootstrap resamples for 95% intervals; 0 for none.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the resamples.")]
UnparsedOption = Annotated[
    Unparsed,
    typer.Option(
        help="Answers without a confidence: left out of the curves (the share that is left "
        "stands beside each figure), or routed to the LLM first, as a live router does."
    ),
]
LlmOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A model to route to although its run has confidences, as plain runs are without "
        "being named. May be given several times."
    ),
]
JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Processes at the same time; default: one per core.")
]
FiguresOption = Annotated[bool, typer.Option(help="Draw the figures, and write LaTeX tables.")]
PageOption = Annotated[bool, typer.Option(help="Write index.html.")]
PaperOption = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="Draw the paper's figures 1 to 11, panel by panel, in place of the report's own, "
        "and say what they lack.",
    ),
]
PricesOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML file with the price of each model, by token or by the hour of a GPU: costs "
        "then count the small model and the method too."
    ),
]
LeastGainOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Gain in accuracy below which the LLM alone, the SLM alone or random routing "
        "counts as just as good.",
    ),
]
