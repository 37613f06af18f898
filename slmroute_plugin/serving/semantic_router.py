"""A threshold in the configuration of vLLM Semantic Router."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

from slmroute_plugin.plugins.methods import registered_methods
from slmroute_plugin.serving.threshold_rule import ThresholdRule
from slmroute_plugin.signals import (
    ChoiceProb,
    Confidences,
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    QuestionTerms,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
)
from slmroute_plugin.storage.threshold_file import EVERYTHING

# The router turns a mean log-probability l into (l + 3) / 3, cut to [0, 1].
_SPAN = 3.0
# The names of our methods at the router.
_EXPORTED = {"perplexity": "avg_logprob", "logprob_margin": "margin"}
# The first of these kinds of signals that a method asks for says what the router lacks.
_LACKS: Sequence[tuple[tuple[type[Signal[Any]], ...], str]] = (
    ((Confidences,), "the router combines no confidences"),
    ((QuestionTerms,), "the router's confidence is in an answer, and this one in a question alone"),
    ((HiddenState, PromptStates), "the router sees no hidden states, and runs no probes"),
    ((Samples,), "the router asks the small model once, and draws no samples"),
    (
        (NextTokenProbs, FirstTokenProbs, Reply, Restated),
        "the router's self-verification asks in its own words, and reads a number from the reply",
    ),
    (
        (TokenStatistics,),
        "the router sees the likeliest tokens alone, and takes the difference of their "
        "log-probabilities, as logprob_margin does",
    ),
    ((TokenLogprobs, ChoiceProb), "of token probabilities, the router takes the mean logarithm"),
)


class CannotExport(ValueError):
    """An error for a threshold that another router cannot be given; its text says why."""


def decision_part(rule: ThresholdRule, slm: str | None, llm: str | None) -> dict[str, Any]:
    """Return the part of a decision that routes by a threshold: its algorithm and its models.

    Args:
        rule: The rule of the threshold.
        slm: The SLM's name at the router; None for the threshold file's.
        llm: The LLM's name at the router; None for the threshold file's.

    Raises:
        CannotExport: If the router does not compute this confidence, or cannot hold the threshold.
    """
    models = [slm or rule.file.slm, llm or rule.file.llm]
    if None in models:
        raise CannotExport("the threshold file names no LLM: name it with --llm")
    if rule.method not in _EXPORTED:
        raise CannotExport(
            f"{rule.method} cannot be exported: {_why_not(rule.method)}. Thresholds for "
            f"{' and '.join(_EXPORTED)} can"
        )
    if rule.threshold == EVERYTHING:
        raise CannotExport("the threshold sends every answer to the LLM: name the LLM alone")
    confidence = {
        "confidence_method": _EXPORTED[rule.method],
        "threshold": _scaled(rule),
        "escalation_order": "declared",
        "on_error": "skip",
    }
    return {
        "modelRefs": [{"model": model, "use_reasoning": False} for model in models],
        "algorithm": {"type": "confidence", "confidence": confidence},
    }


def _scaled(rule: ThresholdRule) -> float:
    """Return a threshold on the router's scale.

    `perplexity` is exp(l) for the mean log-probability l of the answer's tokens; `logprob_margin`
    is on the router's scale.

    Raises:
        CannotExport: If the router cannot hold the threshold.
    """
    if rule.method == "perplexity":
        if rule.threshold <= exp(-_SPAN):
            raise CannotExport(
                f"the threshold of {rule.threshold:g} is not above e⁻³ ({exp(-_SPAN):.4f}), below "
                "which the router tells answers no longer apart"
            )
        return 1.0 + log(rule.threshold) / _SPAN
    if rule.threshold == 0:
        raise CannotExport(
            "the threshold keeps every answer, and the router takes a 0 for its own default: name "
            "the SLM alone"
        )
    return rule.threshold


def _why_not(name: str) -> str:
    """Say why the router does not compute a method's confidence."""
    registered = registered_methods().get(name)
    if registered is None:
        return "it is not a method that is installed"
    asks = registered.method.asks
    for kinds, lack in _LACKS:
        if any(isinstance(ask, kinds) for ask in asks):
            return lack
    return "the router does not compute it"
