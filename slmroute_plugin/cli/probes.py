"""`slmroute probes …` and `slmroute score`: fitting probes, and scoring saved answers by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Column, Table

from slmroute_plugin.cli.bars import work_bars
from slmroute_plugin.methods.protocol import TrainedMethod

if TYPE_CHECKING:
    from slmroute_plugin.probes.probe import Probe, Provenance
    from slmroute_plugin.storage.hidden_states import Feature

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
) -> None:
    """Fit the probes of every data set, from the hidden states and samples in a folder.

    Run lm_eval on the training tasks first (--tasks slmroute_train). Each data set gets an
    in-domain probe from its own training rows and an out-of-domain probe from those of all
    others. What lacks something is named, and costs its own data set only.

    Example: slmroute probes fit results/Qwen__Qwen3-0.6B

    Example: slmroute probes fit results/Qwen__Qwen3-0.6B --cross-fit gsm8k --folds 10
    """
    from slmroute_plugin.probes.fitting import FitSettings, Fitted, fit_probes
    from slmroute_plugin.probes.training_data import ProbeProblem

    console = Console(markup=False, highlight=False)
    _must_be_folder(results)
    methods = _trained(results, method, option or [])
    how = FitSettings(seed, folds, tuple(cross_fit or ()), **({"jobs": jobs} if jobs else {}))
    fitted: list[_Listed] = []
    problems: list[ProbeProblem] = []
    with work_bars(console) as progress:
        bar = progress.add_task("Fitting probes", total=None)
        for step in fit_probes(results, methods, how):
            match step:
                case int(total):
                    progress.update(bar, total=total)
                case Fitted(probe=probe):
                    fitted.append(_Listed.of(probe))
                    progress.advance(bar)
                case ProbeProblem():
                    problems.append(step)
    if fitted:
        console.print(_probe_table(fitted, f"Probes in {results}/probes"))
    _report(problems)
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
    probes: list[_Listed] = []
    problems: list[ProbeProblem] = []
    for path in sorted((results / FOLDER).glob("*.safetensors")):
        try:
            probes.append(_Listed.of(load_probe(path)))
        except ValueError as error:
            problems.append(ProbeProblem(path.name, str(error)))
    if probes:
        console = Console(markup=False, highlight=False)
        console.print(_probe_table(probes, f"Probes in {results / FOLDER}"))
    elif not problems:
        typer.echo(f"No probes in {results / FOLDER}: slmroute probes fit {results}")
    _report(problems)


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
        console.print(_score_table(scored))
        for path, is_new in dict.fromkeys((one.path, one.is_new) for one in scored):
            console.print(f"{'Written:' if is_new else 'Has them already:'} {path}", soft_wrap=True)
    _report(problems)
    if not scored:
        typer.echo(
            f"Nothing was scored: {results} has no samples with hidden states, or no probes "
            f"(slmroute probes fit {results}).",
            err=True,
        )
        raise typer.Exit(1)


def _trained(
    results: Path, names: list[str] | None, options: list[str]
) -> dict[str, TrainedMethod]:
    """The methods that are named, or all whose features were kept."""
    from slmroute_plugin.plugins.methods import registered_methods
    from slmroute_plugin.settings.chosen_methods import chosen_methods
    from slmroute_plugin.settings.parsing import parse_settings
    from slmroute_plugin.settings.schema import SettingsError
    from slmroute_plugin.storage.hidden_states import FOLDERS

    trained = {
        name: one.method
        for name, one in registered_methods().items()
        if isinstance(one.method, TrainedMethod)
    }
    kept = [
        name for name, one in trained.items() if (results / FOLDERS[type(one.asks[0])]).is_dir()
    ]
    try:
        settings = parse_settings({"uq": names or kept or "none", "options": _options(options)})
        chosen = chosen_methods(settings)
    except SettingsError as error:
        raise typer.BadParameter(str(error).replace("metadata.slmroute.", "")) from None
    found = {name: one for name, one in chosen.items() if isinstance(one, TrainedMethod)}
    if strays := [name for name in chosen if name not in found]:
        raise typer.BadParameter(
            f"{', '.join(strays)} is not trained. Trained methods: {', '.join(trained)}."
        )
    return found


def _options(raw: list[str]) -> dict[str, dict[str, Any]]:
    import yaml

    options: dict[str, dict[str, Any]] = {}
    for each in raw:
        where, equals, value = each.partition("=")
        method, dot, field = where.partition(".")
        if not (equals and dot):
            raise typer.BadParameter(f"--option {each!r}: write METHOD.FIELD=VALUE.")
        try:
            options.setdefault(method, {})[field] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise typer.BadParameter(f"--option {each!r}: {value!r} is no value: {error}") from None
    return options


def _must_be_folder(results: Path) -> None:
    if not results.is_dir():
        near = [path.name for path in results.parent.glob("*/hidden_states")]
        there = sorted({path.parent.name for path in results.parent.glob("*/hidden_states")})
        hint = f" There is: {', '.join(there)}." if near else ""
        raise typer.BadParameter(f"there is no folder {results}.{hint}")


class _Listed(NamedTuple):
    """What a table says of a probe: the weights of fifteen would pile up."""

    provenance: Provenance
    signal: Feature

    @classmethod
    def of(cls, probe: Probe) -> _Listed:
        return cls(probe.provenance, probe.signal)


def _probe_table(probes: list[_Listed], title: str) -> Table:
    table = Table(
        Column("Data set", no_wrap=True),
        Column("Method", no_wrap=True),
        Column("Fitted on", no_wrap=True),
        Column("Rows", justify="right", no_wrap=True),
        Column("Right", justify="right", no_wrap=True),
        "Left out",
        title=title,
        caption="Feature: " + "; ".join(sorted({_in_words(probe.signal) for probe in probes})),
    )
    every = (probe.provenance for probe in probes)
    for about in sorted(every, key=lambda about: (about.dataset, about.method)):
        dropped = "; ".join(f"{count}: {why}" for why, count in about.dropped.items())
        rows = str(sum(about.training.values()))
        table.add_row(
            about.dataset, about.method, about.fitted_on, rows, f"{about.correct:.0%}",
            dropped or "none",
        )  # fmt: skip
    return table


def _in_words(signal: Any) -> str:
    position = getattr(signal, "position", None)
    return f"layer {signal.layer}, {position}" if position else "all layers, prompt"


def _score_table(scored: list[Any]) -> Table:
    table = Table(
        Column("Task", no_wrap=True),
        Column("Method", no_wrap=True),
        Column("AUROC", justify="right"),
        Column("Rows", justify="right"),
        Column("Fitted on", no_wrap=True),
    )
    for one in scored:
        figure = one.auroc if isinstance(one.auroc, str) else f"{one.auroc:.4f}"
        table.add_row(one.task, one.method, figure, str(one.rows), one.fitted_on)
    return table


def _report(problems: list[Any]) -> None:
    for problem in problems:
        typer.echo(f"{problem.what}: {problem.why}", err=True)
