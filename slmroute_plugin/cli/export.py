"""The command `slmroute export`: a threshold in the configuration of another router."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from slmroute_plugin.cli.slm_options import ThresholdPath, threshold_rule


class Router(str, Enum):
    """A router that a threshold can be exported to."""

    vllm_sr = "vllm-sr"


def export(
    threshold_file: ThresholdPath,
    to: Annotated[Router, typer.Option(help="The router.", show_default=False)],
    slm: Annotated[
        str | None, typer.Option(help="The SLM's name there; default: the threshold file's.")
    ] = None,
    llm: Annotated[
        str | None, typer.Option(help="The LLM's name there; default: the threshold file's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; default: the terminal.")
    ] = None,
) -> None:
    """Write a threshold as a part of another router's configuration.

    For vLLM Semantic Router it is the modelRefs and the algorithm of a decision. Of the methods
    that it knows, the mean log-probability is our perplexity, and the margin our logprob_margin.
    Its self-verification asks in its own words: thresholds of other methods are refused.

    Example: slmroute export perplexity.ratio-0.3.json --to vllm-sr --out decision.yaml
    """
    import yaml

    from slmroute_plugin.serving.semantic_router import CannotExport, decision_part
    from slmroute_plugin.storage.atomic_write import written_whole

    rule = threshold_rule(threshold_file)
    try:
        part = decision_part(rule, slm, llm)
    except CannotExport as error:
        typer.echo(f"Error: {error}.", err=True)
        raise typer.Exit(1) from None
    about = (
        f"# {rule.name}: {rule.method} below {rule.threshold:.6g} goes to the LLM.\n"
        f"# Goal: {rule.file.goal or 'unknown'}. The threshold is on the router's scale.\n"
    )
    text = about + yaml.safe_dump(part, sort_keys=False, allow_unicode=True)
    if out is None:
        typer.echo(text, nl=False)
        return
    with written_whole(out) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    typer.echo(f"Written: {out}")
