"""The uncertainty, routing and measurement of small language models, inside lm-eval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slmroute_plugin.hookspecs import hookimpl
from slmroute_plugin.methods.training_rows import TrainingRows
from slmroute_plugin.observation import Answer, Missing, NoConfidence, Observation
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
    Sample,
    Samples,
    Signal,
    TokenLogprobs,
    Tokens,
    TokenStatistics,
    VocabularyStatistics,
)

if TYPE_CHECKING:
    from slmroute_plugin.run.assess import assess

__all__ = [
    "Answer",
    "ChoiceProb",
    "Confidences",
    "FirstTokenProbs",
    "HiddenState",
    "Missing",
    "NextTokenProbs",
    "NoConfidence",
    "Observation",
    "PromptStates",
    "QuestionTerms",
    "Reply",
    "Restated",
    "Sample",
    "Samples",
    "Signal",
    "TokenLogprobs",
    "TokenStatistics",
    "Tokens",
    "TrainingRows",
    "VocabularyStatistics",
    "assess",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """Import what asks models only where it is used, since lm-eval takes seconds to import."""
    if name == "assess":
        from slmroute_plugin.run.assess import assess

        return assess
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
