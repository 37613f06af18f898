"""The options by which `slmroute explain` and `slmroute serve` name the SLM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slmroute_plugin.cli.prices import stated_prices

if TYPE_CHECKING:
    from slmroute_plugin.serving.slm_model import SlmChoice
    from slmroute_plugin.serving.threshold_rule import ThresholdRule

ThresholdPath = Annotated[
    Path, typer.Argument(help="A threshold file of slmroute calibrate.", show_default=False)
]
SlmOption = Annotated[
    str,
    typer.Option(
        help="The small model: a model class of lm-eval (hf, vllm, …), or the base URL of a server "
        "that speaks OpenAI's protocol.",
        show_default=False,
    ),
]
SlmArgs = Annotated[
    str,
    typer.Option(
        help="lm-eval's --model_args of the small model: pretrained=…,dtype=float32; of a server, "
        "model=NAME."
    ),
]
Kind = Literal["free", "choice", "boolean"]
KindOption = Annotated[
    Kind,
    typer.Option(
        help="The kind of answer: free, choice (the letter of an option) or boolean; "
        "average_token_prob depends on it."
    ),
]
CueOption = Annotated[
    str, typer.Option(help='The last line of each question of the study ("Answer:").')
]
MethodOptions = Annotated[
    str,
    typer.Option(help='The study\'s setting "options", as JSON: {"p_true": {"follow_up": "…"}}.'),
]
SeedOption = Annotated[int, typer.Option(min=0, help="The study's seed of sampled answers.")]
ProbesOption = Annotated[
    Path | None,
    typer.Option(
        help="A model's folder of results with fitted probes; default: the folder that the "
        "threshold file lies in.",
        show_default=False,
    ),
]
DatasetOption = Annotated[
    str, typer.Option(help="The data set that the probes were fitted for, as its task calls it.")
]
PricesOption = Annotated[
    Path | None, typer.Option(help="YAML file with the price of each model.", show_default=False)
]


def slm_choice(
    threshold_file: Path,
    slm: str,
    slm_args: str,
    kind: Kind,
    cue: str,
    method_options: str,
    seed: int,
    probes: Path | None,
    dataset: str,
    prices: Path | None,
) -> SlmChoice:
    """Make the choice of an SLM that the options state.

    Raises:
        typer.BadParameter: an option has a bad value.
    """
    from slmroute_plugin.serving.slm_model import SlmChoice, probes_beside

    return SlmChoice(
        model=slm,
        arguments=slm_args,
        kind=kind,
        cue=cue,
        method_options=_mapping(method_options),
        seed=seed,
        probes=probes if probes is not None else probes_beside(threshold_file),
        dataset=dataset,
        prices=stated_prices(prices),
    )


def threshold_rule(path: Path) -> ThresholdRule:
    """Read the rule of a threshold file.

    Raises:
        typer.BadParameter: the file cannot be used.
    """
    from slmroute_plugin.serving.threshold_rule import ThresholdRule

    try:
        return ThresholdRule.read(path)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def warn_of_changes(rule: ThresholdRule, choice: SlmChoice) -> None:
    """Warn of what differs between the threshold's calibration and this SLM."""
    from slmroute_plugin.analysis.calibration.setup_changes import file_changes, start_changes
    from slmroute_plugin.plugins.methods import method_version

    start = {
        "method": rule.method,
        "slm": rule.file.slm,
        "threshold": rule.threshold,
        **choice.facts,
    }
    changes = [
        *start_changes(rule.file, start),
        *file_changes(rule.file, method_version(rule.method)),
    ]
    for change in changes:
        typer.echo(f"Warning: not as in the calibration: {change}.", err=True)


def _mapping(text: str) -> dict[str, dict[str, Any]]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not JSON: {error}", param_hint="--method-options"
        ) from None
    if not isinstance(options, dict) or not all(
        isinstance(each, dict) for each in options.values()
    ):
        raise typer.BadParameter(
            f"{text!r} is not a mapping of options for each method", param_hint="--method-options"
        )
    return dict(options)
