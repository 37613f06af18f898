"""The columns that slmroute adds to one of lm-eval's sample rows; see `results/README.md`."""

from __future__ import annotations

from typing import Any

from slmroute_plugin.observation import Answer
from slmroute_plugin.routing.routed_answer import RoutedAnswer
from slmroute_plugin.scoring import Reference, Rule, Verdict, score


def slm_columns(answer: Answer, rule: Rule, reference: Reference) -> dict[str, Any]:
    """Of an SLM's own answer: correctness, and by method the confidence."""
    verdict = score(rule, answer, reference)
    columns = _verdict_columns(verdict)
    for method, confidence in answer.confidence.items():
        correct = verdict.correct
        if method in answer.own_answers:
            correct = score(rule, answer.own_answers[method], reference).correct
            columns[f"acc/{method}"] = float(correct)
        columns[f"confidence/{method}"] = confidence
        columns[f"auroc/{method}"] = [confidence, float(correct)]
    for method, fitted_on in answer.fitted_on.items():
        columns[f"fitted_on/{method}"] = fitted_on
    if answer.confidence:
        columns["no_confidence"] = answer.reasons
    return columns


def routed_columns(answer: RoutedAnswer, rule: Rule, reference: Reference) -> dict[str, Any]:
    """Of an answer after routing: correctness, where it came from, and what it cost."""
    return {
        **_verdict_columns(score(rule, answer, reference)),
        "routed": float(answer.is_routed),
        "llm": answer.llm,
        "llm_error": answer.error,
        "cost_usd": answer.cost_usd,
    }


def _verdict_columns(verdict: Verdict) -> dict[str, Any]:
    return {
        "acc": float(verdict.correct),
        "answer": verdict.answer,
        "scored_by": verdict.scored_by,
    }
