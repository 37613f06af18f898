"""The answer to a question as lm-eval gets it: what was observed, with all confidences."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from slmroute_plugin.backends import Observed
from slmroute_plugin.llm.model_price import ModelPrice
from slmroute_plugin.methods.assessing import Assessment, assess
from slmroute_plugin.methods.before_answer import need_of_answer
from slmroute_plugin.observation import Answer, Missing, Observation
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.run.shared_samples import first_samples
from slmroute_plugin.run.work_columns import work_columns
from slmroute_plugin.signals import QuestionTerms

UNANSWERED = "the question was routed before the model answered it"


class Assessed(NamedTuple):
    """An answer, and its assessment by all methods."""

    answer: Answer
    assessment: Assessment


def shown(observation: Observation, plan: TaskPlan, instance: RoutedInstance) -> Observation:
    """Return an observation as methods are shown it: with every signal and the task's rule."""
    signals = dict(observation.signals)
    for signal in plan.asked:
        if isinstance(signal, QuestionTerms):
            signals[signal] = signal.value_in(observation.question)
    return replace(
        observation,
        signals=first_samples(signals, plan.asked),
        answer_rule=instance.answer_rule() if instance.answer_rule is not None else None,
    )


def assessed(
    seen: Observed,
    plan: TaskPlan,
    instance: RoutedInstance,
    price: ModelPrice | None,
    *,
    answered: bool = True,
) -> Assessed:
    """Assess what was observed of a question by all methods of the plan.

    Args:
        seen: What was observed.
        plan: The plan of the task.
        instance: The request.
        price: The price of the model; None if it is not known.
        answered: Whether the question was answered. Where it was not, methods that need the
            answer, or a signal that is not there, have no confidence.
    """
    methods = plan.methods_for(instance.identity)
    observation = shown(seen.observation, plan, instance)
    able = {
        name: method
        for name, method in methods.items()
        if answered or (need_of_answer(method) is None and {*method.asks} <= {*observation.signals})
    }
    assessment = assess(able, observation)
    for name in methods:
        if name not in able:
            assessment.confidence[name] = None
            assessment.reasons[name] = UNANSWERED
    unasked = not (answered or plan.of_prompt)
    vectors = {feature: observation.signals.get(feature) for feature in plan.kept}
    answer = Answer(
        observation.answer,
        confidence=assessment.confidence,
        reasons=assessment.reasons,
        own_answers=assessment.own_answers,
        kept={
            feature: vector
            for feature, vector in vectors.items()
            if vector is not None and not isinstance(vector, Missing)
        },
        fitted_on=plan.fitted_on,
        combines=plan.combines,
        tokens=seen.tokens,
        prompt=instance.arguments[0],
        messages=instance.messages,
        work=work_columns(seen.work, plan.signals, methods, plan.kept, price, unasked=unasked),
        answered=answered,
    )
    return Assessed(answer, assessment)
