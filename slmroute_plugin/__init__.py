"""The uncertainty, routing and measurement of small language models, inside lm-eval."""

from slmroute_plugin.hookspecs import hookimpl
from slmroute_plugin.methods.training_rows import TrainingRows
from slmroute_plugin.observation import Answer, Missing, NoConfidence, Observation
from slmroute_plugin.signals import (
    ChoiceProb,
    Confidences,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Samples,
    Signal,
    TokenLogprobs,
    Tokens,
)

__all__ = [
    "Answer",
    "ChoiceProb",
    "Confidences",
    "HiddenState",
    "Missing",
    "NextTokenProbs",
    "NoConfidence",
    "Observation",
    "PromptStates",
    "Reply",
    "Restated",
    "Samples",
    "Signal",
    "TokenLogprobs",
    "Tokens",
    "TrainingRows",
    "hookimpl",
]
