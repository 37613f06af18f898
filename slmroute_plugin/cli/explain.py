"""The command `slmroute explain`: one question, each method's confidence, and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli.serve_options import MOST_TOKENS
from slmroute_plugin.cli.slm_options import (
    CueOption,
    DatasetOption,
    KindOption,
    MethodOptions,
    PricesOption,
    ProbesOption,
    SeedOption,
    SlmArgs,
    SlmOption,
    ThresholdPath,
    slm_choice,
    threshold_rule,
    warn_of_changes,
)
from slmroute_plugin.storage.column_names import METHOD_COST

if TYPE_CHECKING:
    from slmroute_plugin.conversation import Message
    from slmroute_plugin.llm.model_price import PriceList
    from slmroute_plugin.observation import Answer
    from slmroute_plugin.serving.threshold_rule import ThresholdRule

QuestionArgument = Annotated[str, typer.Argument(help="The question to ask.", show_default=False)]
LlmOption = Annotated[
    str | None,
    typer.Option(help="The LLM, for its price; default: the threshold file's."),
]
MethodsOption = Annotated[
    str,
    typer.Option(
        help="Methods to show beside the threshold's: names and sets with commas between "
        "(paper, free), or auto, or all; what the model cannot serve is left out of sets."
    ),
]
SystemOption = Annotated[str | None, typer.Option(help="A system prompt.")]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The largest number of tokens of the answer; default: the study's, else "
        f"{MOST_TOKENS}.",
    ),
]


def explain(
    threshold_file: ThresholdPath,
    question: QuestionArgument,
    slm: SlmOption,
    slm_args: SlmArgs = "",
    llm: LlmOption = None,
    methods: MethodsOption = "paper",
    system: SystemOption = None,
    max_tokens: MaxTokensOption = None,
    kind: KindOption = "free",
    cue: CueOption = "",
    method_options: MethodOptions = "{}",
    seed: SeedOption = 0,
    probes: ProbesOption = None,
    dataset: DatasetOption = "",
    prices: PricesOption = None,
) -> None:
    """Ask the small model one question, and say what its threshold decides and why.

    The question goes through the model's chat template. Nothing is sent to the LLM.

    Example: slmroute explain results/Qwen__Qwen3-0.6B/thresholds/perplexity.ratio-0.3.json
    "What is 3 + 4?" --slm hf --slm-args pretrained=Qwen/Qwen3-0.6B,enable_thinking=False
    """
    rule = threshold_rule(threshold_file)
    choice = slm_choice(
        threshold_file, slm, slm_args, kind, cue, method_options, seed, probes, dataset, prices
    )
    from slmroute_plugin.backends.generation import Generation
    from slmroute_plugin.serving.slm_model import SlmError, quiet_lm_eval
    from slmroute_plugin.settings.schema import SettingsError

    warn_of_changes(rule, choice)
    quiet_lm_eval()
    try:
        studied = Generation.of(rule.generation, MOST_TOKENS)
        limit = max_tokens or studied.max_tokens
        generation = {"until": list(studied.stops), "max_gen_toks": limit, "do_sample": False}
        with Console(stderr=True).status(f"Loading {slm}"):
            assessor = choice.assessor(choice.load(), _methods(methods, rule.method))
        (answer,) = assessor.answers([assessor.instance(_chat(system, question), generation)])
    except (SlmError, SettingsError, ValueError, RuntimeError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    _say(rule, answer, llm or rule.file.llm, choice.prices)


def _chat(system: str | None, question: str) -> list[Message]:
    """Return the chat that asks a question."""
    asked: Message = {"role": "user", "content": question}
    return [asked] if system is None else [{"role": "system", "content": system}, asked]


def _methods(given: str, deciding: str) -> str | list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if names in (["auto"], ["all"]):
        return names[0]
    return [deciding, *(name for name in names if name != deciding)]


def _say(rule: ThresholdRule, answer: Answer, llm: str | None, stated: PriceList) -> None:
    """Print the answer, the confidences, and the decision with its price."""
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"{rule.file.slm} says: {answer}")
    table = Table("Method", Column("Confidence", justify="right"), "Why there is none")
    for method, confidence in answer.confidence.items():
        shown = "" if confidence is None else f"{confidence:.6f}"
        table.add_row(method, shown, answer.reasons.get(method, ""))
    console.print(table)
    decision = rule.decide(answer)
    if decision.confidence is None:
        console.print(
            f"To the LLM: {rule.method} has no confidence in this answer ({decision.why_none})."
        )
    elif decision.routed:
        console.print(
            f"To the LLM: {rule.method} is {decision.confidence:.6f}, below the threshold of "
            f"{rule.threshold:.6g} ({rule.name})."
        )
    else:
        console.print(
            f"Kept: {rule.method} is {decision.confidence:.6f}, not below the threshold of "
            f"{rule.threshold:.6g} ({rule.name})."
        )
    _say_prices(rule, answer, llm if decision.routed else None, stated)


def _say_prices(rule: ThresholdRule, answer: Answer, llm: str | None, stated: PriceList) -> None:
    """Print the price of the SLM's answer and of the method, and about that of the LLM's answer."""
    from slmroute_plugin.llm.model_price import price_of
    from slmroute_plugin.llm.prices import estimated_tokens

    own = answer.work.get("cost_usd")
    if own is not None:
        method = answer.work.get(f"{METHOD_COST}{rule.method}", 0.0)
        typer.echo(f"The answer cost ${own:.8f}, and {rule.method} ${method:.8f}.")
    else:
        typer.echo(f"The price of {rule.file.slm} is not known: state it with --prices.")
    if llm is None:
        return
    asked = sum(len(message["content"]) for message in answer.messages)
    price = price_of(llm, stated)
    tokens = estimated_tokens(asked), estimated_tokens(len(answer))
    dollars = None if price is None else price.of_answer(*tokens)
    if price is None:
        typer.echo(f"The price of {llm} is not known: state it with --prices.")
    elif dollars is None:
        typer.echo(
            f"The price of {llm} does not tell what tokens cost: add tokens_per_second to it."
        )
    else:
        typer.echo(f"An answer of {llm} that is as long would cost about ${dollars:.8f}.")
