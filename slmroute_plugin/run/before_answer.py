"""The routing of questions before they are answered: their prompts are read, and that decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tqdm import tqdm

from slmroute_plugin.backends import Backend, Observed
from slmroute_plugin.backends.work import together
from slmroute_plugin.methods.assessing import assess
from slmroute_plugin.observation import Observation
from slmroute_plugin.plugins.policies import policy_for
from slmroute_plugin.routing.decision import decide
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.run.answers import shown
from slmroute_plugin.run.instance import RoutedInstance, doc_hash
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.run.task_run import Stage, task_run


class Stages(NamedTuple):
    """The stages of a task's run: what was decided before any answer, and what is to be answered.

    Attributes:
        unanswered: What was seen of the questions that are routed unanswered, by their place.
        asked: The places of the questions that are to be answered, in their order.
        answering: What is asked for with the answers.
        prompts: What was seen of the questions that are to be answered, in the order of `asked`;
            empty if no prompt was read before.
    """

    unanswered: Mapping[int, Observed]
    asked: Sequence[int]
    answering: Stage
    prompts: Sequence[Observed] = ()

    def whole(self, answer: Observed) -> Observed:
        """Join what was seen of a question with its answer and what was seen of its prompt before.

        The index of the answer is its place in `asked`.
        """
        if not self.prompts:
            return answer
        prompt = self.prompts[answer.index]
        signals = {**prompt.observation.signals, **answer.observation.signals}
        return replace(
            answer,
            observation=replace(answer.observation, signals=signals),
            work=together(answer.work, prompt.work) if answer.work else (),
        )


def stages_of(
    backend: Backend, name: str, instances: Sequence[RoutedInstance], plan: TaskPlan, *, hides: bool
) -> Stages:
    """Read prompts and route questions by them, if the plan routes before there is an answer.

    What the prompts tell is kept in the journal like answers are, so that a run that goes on
    comes to the same decisions without reading any of them again.

    Args:
        backend: The backend of the model.
        name: The name of the task.
        instances: The requests of this process, which may be none.
        plan: The plan of the task.
        hides: Whether no progress is shown.
    """
    every = range(len(instances))
    if plan.route is None or plan.of_prompt is None:
        return Stages({}, every, Stage(plan.signals))
    if plan.of_prompt:
        prompts = _read(backend, name, instances, plan, hides=hides)
    else:
        prompts = [_unread(at, instance) for at, instance in enumerate(instances)]
    decision = decide(
        policy_for(plan.route),
        [
            _confidence(prompt, plan, plan.route, instance)
            for prompt, instance in zip(prompts, instances, strict=True)
        ],
        [doc_hash(instance.doc).encode() for instance in instances],
    )
    asked = [at for at in every if not decision.routed[at]]
    return Stages(
        {at: prompts[at] for at in every if decision.routed[at]},
        asked,
        Stage(plan.signals - plan.of_prompt),
        [prompts[at] for at in asked],
    )


def _read(
    backend: Backend, name: str, instances: Sequence[RoutedInstance], plan: TaskPlan, *, hides: bool
) -> list[Observed]:
    """Read the prompts of the questions, in their order."""
    read: dict[int, Observed] = {}
    stage = Stage(plan.of_prompt or frozenset(), answers=False)
    with (
        task_run(backend, name, instances, plan, stage) as run,
        tqdm(total=len(instances), desc=f"{name}, prompts", disable=hides) as bar,
    ):
        for batch in run.batches:
            batch.keep([{} for _ in batch.observed])
            read |= {seen.index: seen for seen in batch.observed}
            bar.update(len(batch.observed))
    return [read[at] for at in range(len(instances))]


def _unread(at: int, instance: RoutedInstance) -> Observed:
    """Return the observation of a question of which the model was asked nothing."""
    question = instance.question
    if question is None:
        return Observed(at, Observation("", ""))
    return Observed(at, Observation(question.text, "", question.kind))


def _confidence(
    prompt: Observed, plan: TaskPlan, route: RouteSettings, instance: RoutedInstance
) -> float | None:
    """Return the confidence that decides, from what was seen of the prompt."""
    method = plan.methods_for(instance.identity)[route.method]
    seen = shown(prompt.observation, plan, instance)
    return assess({route.method: method}, seen).confidence[route.method]
