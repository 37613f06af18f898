"""The commands `slmroute probes …` and `slmroute score`: fit probes, score answers by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from slmroute_plugin.cli.assignments import yaml_value
from slmroute_plugin.cli.bars import work_bars
from slmroute_plugin.cli.probes_output import ListedProbe, probe_table, say_problems, score_table
from slmroute_plugin.methods.protocol import TrainedMethod

app = typer.Typer(no_args_is_help=True, help="Probes: fit them, and list those that are fitted.")

Folder = Annotated[
    Path,
    typer.Argument(help="A model's folder of results, results/MODEL.", show_default=False),
]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", "-m", help="Only this trained method; may be given several times."),
]


@app.command()
def fit(
    results: Folder,
    method: Methods = None,
    cross_fit: Annotated[
        list[str] | None,
        typer.Option(
            help="Data set to cross-fit on its evaluation rows: each row is scored by a probe "
            "that never saw it. May be given several times; 'all' for all."
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of cross-fitted probes.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of training and folds.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Fits at the same time; default: one per core.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="Field of a method to replace, as trained_probe.epochs=40."),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="What is learned: 'right', whether the answer is right, or 'gain', whether the "
            "LLM is right and the answer wrong."
        ),
    ] = "right",
    llm: Annotated[
        Path | None,
        typer.Option(help="For a gain: the LLM's folder of results, with samples of these tasks."),
    ] = None,
) -> None:
    """Fit the trained methods of every data set, from hidden states and samples in a folder.

    Run lm_eval on the training tasks first (--tasks slmroute_train). Each data set gets an
    in-domain probe from its own training rows and an out-of-domain probe from those of all
    others. Methods that combine the confidences of others are fitted where training rows have
    confidences: name methods in the `uq` of the training run. A data set that lacks something is
    named and left out, and the others are fitted.

    Example: slmroute probes fit results/Qwen__Qwen3-0.6B

    Example: slmroute probes fit results/Qwen__Qwen3-0.6B --cross-fit gsm8k --folds 10

    Example: slmroute probes fit results/Qwen__Qwen3-0.6B --target gain --llm results/gpt-4.1-mini
    """
    from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
    from slmroute_plugin.probes.training_data import ProbeProblem

    console = Console(markup=False, highlight=False)
    _must_be_folder(results)
    methods = _trained(results, method, option or [], fits=True, cross_fits=bool(cross_fit))
    gain_over = _gain_over(target, llm)
    settings = FitSettings(
        seed,
        folds,
        tuple(cross_fit or ()),
        gain_over=gain_over,
        **({"jobs": jobs} if jobs else {}),
    )
    fitted: list[ListedProbe] = []
    problems: list[ProbeProblem] = []
    with work_bars(console) as progress:
        bar = progress.add_task("Fitting probes", total=None)
        for step in fit_probes(results, methods, settings):
            match step:
                case int(total):
                    progress.update(bar, total=total)
                case Fitted(probe=probe):
                    fitted.append(ListedProbe.of(probe))
                    progress.advance(bar)
                case ProbeProblem():
                    problems.append(step)
    if fitted:
        console.print(probe_table(fitted, f"Probes in {results}/probes"))
    say_problems(problems)
    if not fitted:
        typer.echo(
            f"No probe was fitted. {results} needs hidden_states/ and samples of training tasks: "
            "run lm_eval --tasks slmroute_train --log_samples --output_path … first.",
            err=True,
        )
        raise typer.Exit(1)


@app.command("list")
def list_probes(results: Folder) -> None:
    """List the probes that are fitted: for which data set, and on what.

    Example: slmroute probes list results/Qwen__Qwen3-0.6B
    """
    from slmroute_plugin.probes.files import FOLDER, load_probe
    from slmroute_plugin.probes.training_data import ProbeProblem

    _must_be_folder(results)
    probes: list[ListedProbe] = []
    problems: list[ProbeProblem] = []
    for path in sorted((results / FOLDER).glob("*.safetensors")):
        try:
            probes.append(ListedProbe.of(load_probe(path)))
        except ValueError as error:
            problems.append(ProbeProblem(path.name, str(error)))
    if probes:
        console = Console(markup=False, highlight=False)
        console.print(probe_table(probes, f"Probes in {results / FOLDER}"))
    elif not problems:
        typer.echo(f"No probes in {results / FOLDER}: slmroute probes fit {results}")
    say_problems(problems)


def score(results: Folder, method: Methods = None) -> None:
    """Add the confidences of fitted probes to saved samples, without the model.

    The newest samples of each task are copied into a new file beside them, with the columns
    confidence/METHOD, auroc/METHOD and fitted_on/METHOD.

    Example: slmroute score results/Qwen__Qwen3-0.6B
    """
    from slmroute_plugin.probes.training_data import ProbeProblem
    from slmroute_plugin.rescoring.by_probes import Scored, score_samples

    console = Console(markup=False, highlight=False)
    _must_be_folder(results)
    methods = _trained(results, method, [])
    scored: list[Scored] = []
    problems: list[ProbeProblem] = []
    with work_bars(console) as progress:
        bar = progress.add_task("Scoring", total=None)
        seen: set[str] = set()
        for step in score_samples(results, methods):
            match step:
                case int(total):
                    progress.update(bar, total=total)
                case Scored(task=task):
                    scored.append(step)
                    seen.add(task)
                case ProbeProblem():
                    problems.append(step)
            progress.update(bar, completed=len(seen))
    if scored:
        console.print(score_table(scored))
        for path, is_new in dict.fromkeys((column.path, column.is_new) for column in scored):
            console.print(f"{'Written:' if is_new else 'Has them already:'} {path}", soft_wrap=True)
    say_problems(problems)
    if not scored:
        typer.echo(
            f"Nothing was scored: {results} has no samples with hidden states, or no probes "
            f"(slmroute probes fit {results}).",
            err=True,
        )
        raise typer.Exit(1)


def _trained(
    results: Path,
    names: list[str] | None,
    options: list[str],
    *,
    fits: bool = False,
    cross_fits: bool = False,
) -> dict[str, TrainedMethod]:
    """Choose the trained methods that are named, or else all whose features were kept.

    Args:
        results: the model's folder of results.
        names: the names; None for all whose features were kept. Of those that read confidences,
            these are all that are fitted, or, if they are to be fitted, all if training rows have
            confidences, or if rows that are judged are to be fitted on.
        options: the options, as METHOD.FIELD=VALUE.
        fits: whether the methods are to be fitted, rather than used.
        cross_fits: whether a data set is to be cross-fitted by the user's wish.

    Raises:
        typer.BadParameter: a name or an option is unknown, or a method is not trained.
    """
    from slmroute_plugin.plugins.methods import registered_methods
    from slmroute_plugin.settings.chosen_methods import chosen_methods
    from slmroute_plugin.settings.parsing import parse_settings
    from slmroute_plugin.settings.schema import SettingsError

    trained = {
        name: registered.method
        for name, registered in registered_methods().items()
        if isinstance(registered.method, TrainedMethod)
    }
    from slmroute_plugin.probes.kept_features import has_features

    uq = names or list(trained) or "none"
    try:
        chosen = chosen_methods(parse_settings({"uq": uq, "options": _options(options)}))
    except SettingsError as error:
        raise typer.BadParameter(str(error).replace("metadata.slmroute.", "")) from None
    methods = {name: it for name, it in chosen.items() if isinstance(it, TrainedMethod)}
    if strays := [name for name in chosen if name not in methods]:
        raise typer.BadParameter(
            f"{', '.join(strays)} is not trained. Trained methods: {', '.join(trained)}."
        )
    if names:
        return methods
    return {
        name: method
        for name, method in methods.items()
        if has_features(results, name, method, fits, cross_fits)
    }


def _options(raw: list[str]) -> dict[str, dict[str, Any]]:
    """Parse METHOD.FIELD=VALUE into the values by field, by method.

    Raises:
        typer.BadParameter: an option is written otherwise, or its value is not YAML.
    """
    options: dict[str, dict[str, Any]] = {}
    for text in raw:
        where, equals, value = text.partition("=")
        method, dot, field = where.partition(".")
        if not (equals and dot):
            raise typer.BadParameter(f"--option {text!r}: write METHOD.FIELD=VALUE.")
        options.setdefault(method, {})[field] = yaml_value(value, f"--option {text!r}")
    return options


def _gain_over(target: str, llm: Path | None) -> Path | None:
    """Return the folder of the LLM whose gain is learned; None if none is.

    Raises:
        typer.BadParameter: the target is unknown, or it and the LLM do not go together.
    """
    if target not in ("right", "gain"):
        raise typer.BadParameter(f"--target {target!r}: it must be 'right' or 'gain'.")
    if target == "right" and llm is not None:
        raise typer.BadParameter("--llm goes with --target gain.")
    if target == "gain" and llm is None:
        raise typer.BadParameter(
            "--target gain needs an LLM's answers to the training questions: name its folder of "
            "results with --llm, after lm_eval --tasks slmroute_train with that model."
        )
    if llm is not None and not llm.is_dir():
        raise typer.BadParameter(f"--llm: there is no folder {llm}.")
    return llm


def _must_be_folder(results: Path) -> None:
    """Check that a model's folder of results is there.

    Raises:
        typer.BadParameter: it is not; the text names those that have hidden states.
    """
    if not results.is_dir():
        there = sorted(path.parent.name for path in results.parent.glob("*/hidden_states"))
        hint = f" There is: {', '.join(there)}." if there else ""
        raise typer.BadParameter(f"there is no folder {results}.{hint}")
