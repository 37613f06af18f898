"""The sample columns of a question whose answer is the likeliest of its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slmroute_plugin.methods.option_likelihoods import (
    NORMALISED,
    choice_confidences,
    likeliest,
    metric_of,
)
from slmroute_plugin.observation import Answer
from slmroute_plugin.storage.column_names import AUROC_PAIR, CONFIDENCE, CORRECT, FITTED_ON
from slmroute_plugin.task.stock_scoring import TASK_RULE

_UNDEFINED = "a log-likelihood is not a number, or there are fewer than two options"


class OptionLikelihood(NamedTuple):
    """What a model says of an option.

    Attributes:
        log_likelihood: The natural log-likelihood of the option's text behind the prompt.
        is_greedy: Whether greedy decoding would give that text.
    """

    log_likelihood: float
    is_greedy: bool


def likelihood_columns(
    log_likelihoods: Sequence[float],
    options: Sequence[str],
    metrics: Mapping[str, float],
    metric: str,
) -> dict[str, Any]:
    """Return the columns of one sample: its correctness, and the confidences in its answer.

    Args:
        log_likelihoods: The log-likelihood of each option.
        options: The texts of the options.
        metrics: The values of the task's metrics for the sample, `acc` and `acc_norm` among them.
        metric: The metric that says whether the answer is right.
    """
    chosen = likeliest(log_likelihoods, options if metric == NORMALISED else None)
    columns: dict[str, Any] = {
        "acc": float(metrics[metric]),
        "answer": None if chosen is None else options[chosen],
        "scored_by": TASK_RULE,
    }
    reasons = {}
    confidences = choice_confidences(log_likelihoods, options)
    for method, confidence in confidences._asdict().items():
        own = metric_of(method)
        correct = float(metrics[own])
        if own != metric:
            columns[f"{CORRECT}{method}"] = correct
        columns[f"{CONFIDENCE}{method}"] = confidence
        columns[f"{AUROC_PAIR}{method}"] = [confidence, correct]
        if confidence is None:
            reasons[method] = _UNDEFINED
    columns["no_confidence"] = reasons
    return columns


def add_probed(
    columns: dict[str, Any], answer: Answer, metrics: Mapping[str, float], metric: str
) -> None:
    """Add the confidences of probes to a sample's columns.

    Args:
        columns: The columns of the sample, to which those of probes are added.
        answer: The answer that carries the confidences.
        metrics: The values of the task's metrics for the sample.
        metric: The metric that says whether the answer is right.
    """
    for method, confidence in answer.confidence.items():
        columns[f"{CONFIDENCE}{method}"] = confidence
        columns[f"{AUROC_PAIR}{method}"] = [confidence, float(metrics[metric])]
    for method, fitted_on in answer.fitted_on.items():
        columns[f"{FITTED_ON}{method}"] = fitted_on
    columns["no_confidence"] = {**columns["no_confidence"], **answer.reasons}
