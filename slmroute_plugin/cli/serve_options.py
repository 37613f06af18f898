"""The options of `slmroute serve`, besides those that name the SLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MOST_TOKENS = 512

LlmOption = Annotated[
    str | None,
    typer.Option(help="The LLM's name at its server; default: the threshold file's."),
]
LlmBaseUrlOption = Annotated[
    str | None,
    typer.Option(help="The LLM's server; default: $OPENAI_BASE_URL, else OpenAI's."),
]
LlmSetOption = Annotated[
    list[str] | None,
    typer.Option(help="A further setting of the LLM, as max_cost_usd=2; see docs/routing.md."),
]
HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")]
ApiKeyEnvOption = Annotated[
    str | None,
    typer.Option(help="The environment variable with the key that clients must send."),
]
LogOption = Annotated[
    Path | None,
    typer.Option(help="The file that decisions are appended to.", show_default=False),
]
LogTextOption = Annotated[bool, typer.Option("--log-text", help="Log questions and answers too.")]
ShadowOption = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="The share of kept requests that is sent to the LLM too, to compare."
    ),
]
ShadowBudgetUsdOption = Annotated[
    float | None, typer.Option(min=0, help="At most so many dollars for that.")
]
CompareByOption = Annotated[
    str,
    typer.Option(
        help="A scoring rule (number, math, choice, boolean, …) by whose final answers the two "
        "are compared; default: by their words."
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The SLM's largest number of tokens where a request does not say; default: the "
        f"study's, else {MOST_TOKENS}.",
    ),
]
AnyTemperatureOption = Annotated[
    bool,
    typer.Option(
        "--any-temperature",
        help="Ask the SLM requests with a temperature too; its answers are greedy.",
    ),
]
SlmTimeoutOption = Annotated[
    float, typer.Option(min=0.001, help="The seconds until the SLM is given up.")
]
MostWaitingOption = Annotated[
    int, typer.Option(min=1, help="Questions that may wait for an SLM in this process.")
]
MostPendingOption = Annotated[
    int, typer.Option(min=1, help="Requests at work; a further one gets status 429.")
]
MaxBodyBytesOption = Annotated[int, typer.Option(min=1, help="The largest body of a request.")]
