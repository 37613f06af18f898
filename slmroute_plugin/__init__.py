"""The uncertainty, routing and measurement of small language models, inside lm-eval."""

from slmroute_plugin.hookspecs import hookimpl
from slmroute_plugin.methods.training_rows import TrainingRows
from slmroute_plugin.observation import Answer, Missing, NoConfidence, Observation
from slmroute_plugin.signals import (
    ChoiceProb,
    HiddenState,
    NextTokenProbs,
    PromptStates,
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

__all__ = [
    "Answer",
    "ChoiceProb",
    "HiddenState",
    "Missing",
    "NextTokenProbs",
    "NoConfidence",
    "Observation",
    "PromptStates",
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
    "hookimpl",
]
