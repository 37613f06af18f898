"""The columns that slmroute adds to lm-eval's sample rows; see `results/README.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmroute_plugin.observation import Answer
from slmroute_plugin.routing.routed_answer import RoutedAnswer
from slmroute_plugin.scoring.scorer import QuestionScorer
from slmroute_plugin.storage.column_names import (
    AUROC_PAIR,
    COMBINES,
    CONFIDENCE,
    CORRECT,
    FITTED_ON,
    OWN_ANSWER,
)


def slm_columns(answer: Answer, scorer: QuestionScorer) -> dict[str, Any]:
    """Return the columns of an SLM's own answer: its correctness, and the confidence by method.

    Where the question was routed before there was an answer, correctness is None.
    """
    columns = (
        verdict_columns(answer, answer.confidence, answer.own_answers, scorer)
        if answer.answered
        else no_verdict(answer, scorer)
    )
    for method, confidence in answer.confidence.items():
        columns[f"{CONFIDENCE}{method}"] = confidence
        if scorer.keeps_own_answers and method in answer.own_answers:
            columns[f"{OWN_ANSWER}{method}"] = answer.own_answers[method] or None
    for method, fitted_on in answer.fitted_on.items():
        columns[f"{FITTED_ON}{method}"] = fitted_on
    for method, combines in answer.combines.items():
        columns[f"{COMBINES}{method}"] = combines
    if answer.confidence:
        columns["no_confidence"] = answer.reasons
    return {**columns, **answer.work}


def routed_columns(answer: RoutedAnswer, scorer: QuestionScorer) -> dict[str, Any]:
    """Return the columns of an answer after routing: its correctness, its origin, and its price."""
    return {
        **verdict_columns(answer, {}, {}, scorer),
        "routed": float(answer.is_routed),
        "llm": answer.llm,
        "llm_error": answer.error,
        "cost_usd": answer.cost_usd,
    }


def no_verdict(answer: Answer, scorer: QuestionScorer) -> dict[str, Any]:
    """Return the columns of `verdict_columns` for a question that was not answered, as None."""
    columns: dict[str, Any] = {"acc": None, "answer": None, "scored_by": None}
    columns |= {
        f"{AUROC_PAIR}{method}": [value, None] for method, value in answer.confidence.items()
    }
    return columns | ({"judge_error": None} if scorer.is_judge else {})


def verdict_columns(
    text: str,
    confidence: Mapping[str, float | None],
    own_answers: Mapping[str, str],
    scorer: QuestionScorer,
) -> dict[str, Any]:
    """Return all columns that depend on whether answers are right.

    Args:
        text: The reply.
        confidence: The confidence by method.
        own_answers: The text that a method's confidence is about in place of the reply, by method.
        scorer: The scorer of the replies to the question.
    """
    verdict = scorer(text)
    columns: dict[str, Any] = {
        "acc": float(verdict.correct),
        "answer": verdict.answer,
        "scored_by": verdict.scored_by,
    }
    errors = [verdict.judge_error] if verdict.judge_error else []
    for method, value in confidence.items():
        correct = verdict.correct
        if method in own_answers:
            own = scorer(own_answers[method])
            correct = own.correct
            columns[f"{CORRECT}{method}"] = float(correct)
            if own.judge_error:
                errors.append(f"{method}: {own.judge_error}")
        columns[f"{AUROC_PAIR}{method}"] = [value, float(correct)]
    if scorer.is_judge:
        columns["judge_error"] = "; ".join(errors) or None
    return columns
