"""The request type `generate_with_uncertainty`, which lm-eval calls on a model for our tasks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from slmroute_plugin.backends import Backend
from slmroute_plugin.llm.model_price import price_of
from slmroute_plugin.methods.assessing import Assessment, report_missing
from slmroute_plugin.observation import Answer
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.processes import gather_shares, share_of, unsplit_processes
from slmroute_plugin.run.answers import assessed
from slmroute_plugin.run.before_answer import stages_of
from slmroute_plugin.run.outputs import check_outputs
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.run.task_run import task_run
from slmroute_plugin.storage.hidden_states import (
    Feature,
    HiddenStates,
    KeptRow,
    hidden_states_path,
    save_hidden_states,
)
from slmroute_plugin.storage.questions import (
    AskedQuestions,
    AskedRow,
    questions_path,
    save_questions,
)
from slmroute_plugin.storage.source import Source

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM
    from slmroute_plugin.run.instance import RoutedInstance

logger = logging.getLogger(__name__)

Row = TypeVar("Row")

REQUEST_TYPE = "generate_with_uncertainty"


def add_request_type() -> None:
    """Add the method that lm-eval calls for our request type to the class of all models."""
    from slmroute_plugin.harness import LM

    setattr(LM, REQUEST_TYPE, generate_with_uncertainty)


def generate_with_uncertainty(lm: LM, requests: Sequence[RoutedInstance]) -> list[Answer]:
    """Answer every request, with the confidences that its task's settings ask for.

    Args:
        lm: Any model of lm-eval; its class decides which backend serves it.
        requests: The requests of lm-eval, grouped by task.

    Raises:
        SettingsError: If the settings name a method that this model cannot serve, or a file of the
            run cannot be written; it is raised before the first token is generated.
    """
    backend = backend_for(lm)
    tasks = _by_task(requests)
    # All plans are made first, so that a fault shows before the first token.
    plans = {name: _plan(lm, backend, instances[0]) for name, instances in tasks.items()}
    for name, plan in plans.items():
        check_outputs(
            tasks[name][0].settings,
            _model_folder(lm, tasks[name][0]).name,
            plan.source.task,
            [type(feature) for feature in plan.kept],
            routes=plan.source.rows != "training",
        )
    for notice in {plan.left_out: None for plan in plans.values() if plan.left_out}:
        # Of other packages' messages, lm-eval shows warnings alone.
        logger.warning("%s", notice)
    answers: list[Answer] = []
    for name, instances in tasks.items():
        answers += answer_task(lm, backend, str(name), instances, plans[name])
    return answers


def _plan(lm: LM, backend: Backend, instance: RoutedInstance) -> TaskPlan:
    source = replace(instance.source, model=instance.source.model or own_name(lm))
    return TaskPlan(backend, instance.settings, source, _model_folder(lm, instance))


def _by_task(requests: Sequence[RoutedInstance]) -> dict[str | None, list[RoutedInstance]]:
    return {name: list(group) for name, group in groupby(requests, key=lambda r: r.task_name)}


def answer_task(
    lm: LM, backend: Backend, name: str, instances: Sequence[RoutedInstance], plan: TaskPlan
) -> list[Answer]:
    """Answer the requests of one task, with the confidences that its plan has.

    Args:
        lm: The model.
        backend: The model's backend.
        name: The name of the task.
        instances: The task's requests.
        plan: The task's plan.

    Returns:
        The answers in the order of the requests.

    Raises:
        JournalError: If the journal cannot be used.
        KeyboardInterrupt: If the user stops the run; the text says how to go on.
    """
    mine = share_of(lm, len(instances))
    own = [instances[index] for index in mine]
    observed: dict[int, Answer] = {}
    assessments: list[Assessment] = []
    reused = 0
    price = price_of(plan.source.model, instances[0].settings.prices)
    stages = stages_of(backend, name, own, plan, hides=bool(lm.rank))
    for at, seen in stages.unanswered.items():
        one = assessed(seen, plan, own[at], price, answered=False)
        observed[mine[at]] = one.answer
        assessments.append(one.assessment)
    with (
        task_run(backend, name, [own[at] for at in stages.asked], plan, stages.answering) as run,
        tqdm(total=len(stages.asked), desc=name, unit="question", disable=bool(lm.rank)) as bar,
    ):
        for batch in run.batches:
            every = []
            for seen in batch.observed:
                at = stages.asked[seen.index]
                every.append(assessed(stages.whole(seen), plan, own[at], price))
                observed[mine[at]] = every[-1].answer
            batch.keep([one.assessment.confidence for one in every])
            assessments += [one.assessment for one in every]
            if batch.reused:
                reused += len(every)
                bar.set_postfix_str(f"{reused} from the journal", refresh=False)
            bar.update(len(every))
    report_missing(name, assessments)
    observed = gather_shares(lm, observed)
    answers = [observed[index] for index in range(len(instances))]
    for feature in plan.kept:
        _keep_hidden_states(lm, instances, answers, feature, plan.source)
    if plan.keeps_questions:
        _keep_questions(lm, instances, plan.source)
    return answers


def _keep_hidden_states(
    lm: LM,
    instances: Sequence[RoutedInstance],
    answers: Sequence[Answer],
    feature: Feature,
    source: Source,
) -> None:
    rows = [
        KeptRow(
            instance.logged_doc_id,
            answer.kept[feature],
            instance.arguments[0],
            instance.question.identity,
        )
        for instance, answer in zip(instances, answers, strict=True)
        if feature in answer.kept and instance.question is not None
    ]
    states = HiddenStates.from_rows(_of_all_processes(lm, rows), feature, source)
    if states is None:
        return
    path = hidden_states_path(_model_folder(lm, instances[0]), type(feature), source.task)
    save_hidden_states(path, states)
    logger.info("Hidden states of %d answers saved to %s", len(states.doc_id), path)


def _keep_questions(lm: LM, instances: Sequence[RoutedInstance], source: Source) -> None:
    rows = [
        AskedRow(instance.logged_doc_id, instance.arguments[0], instance.question.identity)
        for instance in instances
        if instance.question is not None
    ]
    asked = AskedQuestions.from_rows(_of_all_processes(lm, rows), source)
    if asked is None:
        return
    try:
        save_questions(questions_path(_model_folder(lm, instances[0]), source.task), asked)
    except OSError as error:  # answers do not depend on it
        logger.warning(
            "%s: methods that combine confidences cannot learn from these answers, because what "
            "was asked could not be kept: %s",
            source.task,
            error,
        )


def _of_all_processes(lm: LM, rows: list[Row]) -> list[Row]:
    """Gather the rows of all processes in the first; the other processes get none."""
    gathered = lm.gather_object(rows, dst=0) if lm.world_size > 1 else [rows]
    accelerator = unsplit_processes(lm)
    if lm.rank or (accelerator is not None and accelerator.process_index):
        return []
    return [row for share in gathered or [] for row in share]


def own_name(lm: LM) -> str:
    """Return the model's own name, for a model that was passed in rather than named."""
    name = getattr(getattr(lm, "config", None), "_name_or_path", "")
    return str(name or type(lm).__name__)


def _model_folder(lm: LM, instance: RoutedInstance) -> Path:
    """Return the folder that lm-eval writes this model's results to."""
    from slmroute_plugin.harness import sanitize_model_name

    folder: str = sanitize_model_name(instance.model_name or own_name(lm))
    return instance.settings.results / folder
