"""A threshold in the configuration of vLLM Semantic Router."""

from __future__ import annotations

from math import exp, log
from typing import Any

from slmroute_plugin.serving.threshold_rule import ThresholdRule
from slmroute_plugin.storage.threshold_file import EVERYTHING

# The router turns a mean log-probability l into (l + 3) / 3, cut to [0, 1].
_SPAN = 3.0
_WHY_NOT = {
    "probability_margin": "the router's margin is that of log-probabilities, ours of probabilities",
    "p_true": "the router's self-verification asks in other words, and reads a stated number",
    "verbalization_1s": "the router's self-verification asks in other words",
    "verbalization_2s": "the router's self-verification asks in other words",
}


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
    confidence = {
        "confidence_method": "avg_logprob",
        "threshold": normalised_threshold(rule),
        "escalation_order": "declared",
        "on_error": "skip",
    }
    return {
        "modelRefs": [{"model": model, "use_reasoning": False} for model in models],
        "algorithm": {"type": "confidence", "confidence": confidence},
    }


def normalised_threshold(rule: ThresholdRule) -> float:
    """Return a threshold of `perplexity` on the router's scale of mean log-probabilities.

    `perplexity` is exp(l) for the mean log-probability l of the answer's tokens.

    Raises:
        CannotExport: If the router does not compute this confidence, or cannot hold the threshold.
    """
    if rule.method != "perplexity":
        why = _WHY_NOT.get(rule.method, "the router does not compute it")
        raise CannotExport(
            f"{rule.method}: {why}. A threshold for perplexity, the mean log-probability, can be "
            "exported."
        )
    if rule.threshold == EVERYTHING:
        raise CannotExport("the threshold sends every answer to the LLM: name the LLM alone")
    if rule.threshold <= exp(-_SPAN):
        raise CannotExport(
            f"the threshold of {rule.threshold:g} is not above e⁻³ ({exp(-_SPAN):.4f}), below "
            "which the router tells answers no longer apart"
        )
    return 1.0 + log(rule.threshold) / _SPAN
