"""The command `slmroute calibrate`: a threshold for a goal, from saved runs, for live routing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from slmroute_plugin.cli.calibrate_options import (
    AccuracyOption,
    AtLeastOption,
    BudgetUsdOption,
    CptOption,
    GuaranteeOption,
    KeptAccuracyOption,
    LlmOption,
    MethodOption,
    OutputOption,
    PerTaskOption,
    PlanOption,
    PricesOption,
    ProbabilityOption,
    QuestionsOption,
    RatioOption,
    ResultsFolder,
    SeedOption,
    SlmOption,
    SplitOption,
    TasksOption,
)
from slmroute_plugin.storage.sample_files import TASK_PREFIX

if TYPE_CHECKING:
    from slmroute_plugin.analysis.calibration.goals import Goal, GoalKind
    from slmroute_plugin.analysis.calibration.selection import Selection

FOLDER = "thresholds"
# The share of the evaluation rows that a map to probabilities is fitted on.
_SHARE = 0.5
# The letters of tasks in a file's name.
_LONGEST_TASKS = 60


def calibrate(
    results: ResultsFolder,
    slm: SlmOption,
    method: MethodOption,
    llm: LlmOption = None,
    ratio: RatioOption = None,
    accuracy: AccuracyOption = None,
    kept_accuracy: KeptAccuracyOption = None,
    budget_usd: BudgetUsdOption = None,
    cpt: CptOption = None,
    guarantee: GuaranteeOption = None,
    questions: QuestionsOption = None,
    prices: PricesOption = None,
    tasks: TasksOption = None,
    seed: SeedOption = 0,
    per_task: PerTaskOption = False,
    plan: PlanOption = False,
    probability: ProbabilityOption = False,
    at_least: AtLeastOption = None,
    split: SplitOption = None,
    output: OutputOption = None,
) -> None:
    """Find the threshold for a goal, or the probabilities behind confidences, and write a file.

    Give one goal: --ratio, --accuracy, --kept-accuracy, --budget-usd or --cpt. Answers with less
    confidence than the threshold go to the LLM, and so do answers without a confidence. If the goal
    cannot be reached, the best attainable value is printed, the file holds no threshold, and the
    exit code is 1.

    Example: slmroute calibrate results --slm Qwen__Qwen3-0.6B --method perplexity --ratio 0.3

    Example: slmroute calibrate results --slm Qwen__Qwen3-0.6B --method perplexity
    --accuracy 0.9 --guarantee 0.95 --tasks gsm8k,svamp

    Example: slmroute calibrate results --slm Qwen__Qwen3-0.6B --method perplexity
    --accuracy 0.9 --guarantee 0.95 --plan

    Example: slmroute calibrate results --slm Qwen__Qwen3-0.6B --method p_true --probability
    --at-least 0.8

    Use it: metadata: {slmroute: {route: {method: perplexity, threshold_from: FILE, llm: …}}}
    """
    from slmroute_plugin.cli import calibrate_probability as probability_command
    from slmroute_plugin.cli.calibrate_output import say_plan
    from slmroute_plugin.storage.atomic_write import check_writable

    given: dict[GoalKind, float | None] = {
        "ratio": ratio,
        "accuracy": accuracy,
        "kept_accuracy": kept_accuracy,
        "budget_usd": budget_usd,
        "cpt": cpt,
    }
    names = _task_names(tasks or [])
    if probability:
        others = {
            "--guarantee": guarantee,
            "--questions": questions,
            "--plan": plan,
            "--per-task": per_task,
            "--llm": llm,
            "--prices": prices,
        }
        share = _SHARE if split is None else split
        probability_command.check_options(given, others, at_least, share)
        path = output or _default_path(
            results, slm, probability_command.FOLDER, [method, *_of_tasks(names)]
        )
        threshold = _default_path(
            results, slm, FOLDER, [method, f"probability-{at_least or 0:g}", *_of_tasks(names)]
        )
        if output is not None:
            threshold = output.with_name(f"{output.stem}.probability-{at_least or 0:g}.json")
        selection = _selection(results, slm, method, None, names)
        if not probability_command.write_map(selection, path, share, seed, at_least, threshold):
            raise typer.Exit(1)
        return
    for option, value in {"--at-least": at_least, "--split": split}.items():
        if value is not None:
            raise typer.BadParameter(f"{option} goes with --probability.")
    goal = _goal(given, guarantee, questions, per_task)
    if goal.needs_llm and llm is None:
        raise typer.BadParameter("this goal needs the answers of an LLM: name it with --llm.")
    if plan:
        _check_plan(goal, {"--out": output, "--prices": prices})
        say_plan(_selection(results, slm, method, llm, names).answers, goal)
        return
    path = output or _default_path(
        results, slm, FOLDER, [method, *_of_goal(goal, llm), *_of_tasks(names)]
    )
    check_writable(path)
    selection = _selection(results, slm, method, llm, names, prices)
    if not _write_threshold(selection, goal, seed, path):
        raise typer.Exit(1)


def _write_threshold(selection: Selection, goal: Goal, seed: int, path: Path) -> bool:
    """Calibrate, write the threshold file, and say what it promises.

    Returns:
        Whether the goal is attainable.

    Raises:
        typer.BadParameter: the goal makes no sense for these answers.
    """
    from slmroute_plugin.analysis.calibration import thresholds
    from slmroute_plugin.analysis.calibration.goals import GoalError
    from slmroute_plugin.analysis.calibration.provenance import threshold_file
    from slmroute_plugin.cli.calibrate_output import say_threshold
    from slmroute_plugin.plugins.methods import method_version
    from slmroute_plugin.storage.atomic_write import written_whole

    try:
        calibrated = thresholds.calibrate(selection.answers, goal, seed)
    except GoalError as error:
        raise typer.BadParameter(str(error)) from None
    file = threshold_file(selection, goal, calibrated, seed, method_version(selection.method))
    with written_whole(path) as unfinished:
        unfinished.write_text(file.model_dump_json(indent=2) + "\n", encoding="utf-8")
    say_threshold(file, calibrated, path)
    return calibrated.threshold is not None


def _check_plan(goal: Goal, others: Mapping[str, object]) -> None:
    """Refuse to plan for what has no plan.

    Args:
        goal: the goal.
        others: the options that a plan has no use for, by name; those that are None are not given.

    Raises:
        typer.BadParameter: the goal has no guarantee, or one on each of several tasks; or there is
            an option that a plan has no use for.
    """
    if strays := [option for option, value in others.items() if value is not None]:
        raise typer.BadParameter(f"--plan writes and prices nothing: leave {strays[0]} out.")
    if goal.guarantee is None:
        raise typer.BadParameter("--plan goes with --guarantee.")
    if goal.per_task:
        raise typer.BadParameter("--plan is for one task: name it with --tasks.")


def _task_names(listed: list[str]) -> list[str]:
    """Return the names in lists with commas between.

    Raises:
        typer.BadParameter: a list holds no name: without names, all tasks would be taken.
    """
    names = [[name.strip() for name in each.split(",") if name.strip()] for each in listed]
    if not all(names):
        raise typer.BadParameter("it names no task: leave it out for all.", param_hint="--tasks")
    return [name for each in names for name in each]


def _goal(
    given: dict[GoalKind, float | None],
    guarantee: float | None,
    questions: int | None,
    per_task: bool,
) -> Goal:
    """Make the goal that the options give.

    Raises:
        typer.BadParameter: not exactly one goal is given, or it makes no sense.
    """
    from slmroute_plugin.analysis.calibration.goals import Goal, GoalError, option_of

    goals = [(kind, value) for kind, value in given.items() if value is not None]
    if len(goals) != 1:
        named = " and ".join(option_of(kind) for kind, _ in goals) or "none"
        options = ", ".join(map(option_of, given))
        raise typer.BadParameter(f"give exactly one of {options}, not {named}.")
    try:
        return Goal(*goals[0], guarantee, questions, per_task)
    except GoalError as error:
        raise typer.BadParameter(f"{error}.") from None


def _selection(
    results: Path,
    slm: str,
    method: str,
    llm: str | None,
    tasks: list[str],
    prices: Path | None = None,
) -> Selection:
    """Read the results, and choose the answers to calibrate on.

    Raises:
        typer.BadParameter: the results do not hold one of the names.
    """
    from rich.console import Console

    from slmroute_plugin.analysis.calibration.selection import SelectionError, select
    from slmroute_plugin.analysis.study.reading import UnknownName, read_study
    from slmroute_plugin.cli.prices import stated_prices

    if not results.is_dir():
        raise typer.BadParameter(f"there is no folder {results}.")
    _must_hold(results, slm)
    if llm is not None:
        _must_hold(results, llm)
    stated = stated_prices(prices)
    try:
        with Console(stderr=True).status(f"Reading {results}"):
            study = read_study(results, [llm] if llm is not None else [], prices=stated)
        selection = select(study, slm, method, llm, tasks, stated)
    except SelectionError as error:
        raise typer.BadParameter(str(error)) from None
    except UnknownName:  # its folder is there
        raise typer.BadParameter(
            f"{results / str(llm)} holds no samples: run it again with --log_samples."
        ) from None
    for problem in selection.left_out:
        typer.echo(f"Left out: {problem.where}: {problem.why}", err=True)
    return selection


def _must_hold(results: Path, model: str) -> None:
    """Check that a folder of results holds a model.

    Raises:
        typer.BadParameter: it does not; the text offers the nearest name.
    """
    from slmroute_plugin.nearest import did_you_mean

    models = sorted(path.name for path in results.iterdir() if path.is_dir())
    if model not in models:
        hint = did_you_mean(model, models) if models else "It holds none."
        raise typer.BadParameter(f"{results} holds no model {model!r}. {hint}")


def _default_path(results: Path, slm: str, folder: str, parts: Sequence[str]) -> Path:
    """Name a file after what it was made for, in a folder beside the SLM's answers."""
    return results / slm / folder / f"{'.'.join(parts)}.json"


def _of_goal(goal: Goal, llm: str | None) -> list[str]:
    """Name a goal, and the LLM if it depends on one."""
    parts = [f"{goal.measure}-{goal.value:g}"]
    if goal.guarantee is not None:
        parts.append(f"guarantee-{goal.guarantee:g}")
    if goal.questions is not None:
        parts.append(f"questions-{goal.questions}")
    if goal.per_task:
        parts.append("per-task")
    if goal.needs_llm:
        parts.append(str(llm))
    return parts


def _of_tasks(names: Sequence[str]) -> list[str]:
    """Name chosen tasks; by a digest, if they are many."""
    joined = "+".join(sorted({name.removeprefix(TASK_PREFIX) for name in names}))
    if len(joined) > _LONGEST_TASKS:
        joined = f"tasks-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"
    return [joined] if joined else []
