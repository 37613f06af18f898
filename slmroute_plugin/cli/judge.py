"""The command `slmroute judge`: score saved answers by an LLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli.assignments import assigned


def judge(
    results: Annotated[
        Path,
        typer.Argument(help="A model's folder of results, results/MODEL.", show_default=False),
    ],
    model: Annotated[str, typer.Option(help="The judge's name at the server.", show_default=False)],
    base_url: Annotated[
        str | None,
        typer.Option(help="An OpenAI-compatible server; default: $OPENAI_BASE_URL, else OpenAI's."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task; may be given several times.")
    ] = None,
    prompt: Annotated[
        Path | None,
        typer.Option(help="A file with the prompt: {question}, {references} and {answer} in it."),
    ] = None,
    include_path: Annotated[
        Path | None, typer.Option(help="A folder of further tasks, as lm-eval's --include_path.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A further setting of the judge, as max_cost_usd=2."),
    ] = None,
) -> None:
    """Score the free-form answers in saved samples by an LLM, into new files.

    The newest samples of each task are copied into a new file beside them, with the judge's
    verdicts in acc, scored_by, auroc/METHOD, acc/METHOD and judge_error. The key is read
    from $OPENAI_API_KEY.

    Example: slmroute judge results/Qwen__Qwen3-0.6B --model gpt-4.1-mini

    Example: slmroute judge results/Qwen__Qwen3-0.6B --model qwen3 --base-url http://localhost:8000/v1
    --task slmroute_coqa --set max_concurrency=4
    """
    if not results.is_dir():
        raise typer.BadParameter(f"there is no folder {results}.")
    if include_path is not None and not include_path.is_dir():
        raise typer.BadParameter(f"there is no folder {include_path}.", param_hint="--include-path")
    settings = _settings(model, base_url, prompt, setting or [])
    from slmroute_plugin.harness import TaskManager
    from slmroute_plugin.include_path import include_path as own_tasks
    from slmroute_plugin.rescoring.by_judge import Judged, Unjudged, judge_samples

    folders = [own_tasks(), *([include_path] if include_path else [])]
    manager = TaskManager(include_path=folders, include_defaults=False)
    judged: list[Judged] = []
    is_told = False
    for step in judge_samples(results, settings, task or [], manager):
        match step:
            case Judged():
                judged.append(step)
            case Unjudged():
                is_told = True
                typer.echo(f"{step.what}: {step.why}", err=True)
    if not judged:
        why = "see above" if is_told else f"{results} has no free-form answers to judge"
        typer.echo(f"Nothing was judged: {why}.", err=True)
        raise typer.Exit(1)
    console = Console(markup=False, highlight=False)
    console.print(_table(judged))
    for path in dict.fromkeys(rows.path for rows in judged):
        console.print(f"Written: {path}", soft_wrap=True)


def _settings(model: str, base_url: str | None, prompt: Path | None, further: list[str]) -> Any:
    """Make the judge's settings from the options.

    Raises:
        typer.BadParameter: an option has a bad value, or the prompt's file cannot be read.
    """
    from slmroute_plugin.settings.parsing import parse_settings
    from slmroute_plugin.settings.schema import SettingsError

    raw: dict[str, Any] = {"model": model, "base_url": base_url, **assigned(further, "--set")}
    try:
        if prompt is not None:
            raw["prompt"] = prompt.read_text("utf-8")
        return parse_settings({"uq": "none", "judge": raw}).judge
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{prompt} is not text in UTF-8 ({error}).", param_hint="--prompt"
        ) from None
    except (OSError, SettingsError) as error:
        raise typer.BadParameter(str(error).replace("metadata.slmroute.", "")) from None


def _table(judged: list[Any]) -> Table:
    """Make a table of the judged rows, with their accuracy before and after."""
    table = Table(
        Column("Task", no_wrap=True),
        Column("Filter", no_wrap=True),
        Column("Rows", justify="right"),
        Column("acc before", justify="right"),
        Column("acc judged", justify="right"),
        Column("No verdict", justify="right"),
    )
    for rows in judged:
        table.add_row(
            rows.task,
            rows.filter,
            str(rows.rows),
            f"{rows.before:.4f}",
            f"{rows.after:.4f}",
            str(rows.errors),
        )
    return table
