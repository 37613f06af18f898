"""The contract of a backend: how one kind of lm-eval model delivers the signals asked of it.

Beside what a backend is handed and returns, it has the parts that all backends share: what
generation settings mean, which part of a reply is kept, where an option is named, how follow-ups
are put, and which tokens begin a word.
"""

from slmroute_plugin.backends.chosen_option import choice_prob
from slmroute_plugin.backends.contract import (
    Advises,
    Backend,
    BatchSizes,
    Observed,
    Question,
    ReadsPrompts,
    Resumable,
    SizesBatches,
    Span,
    in_one_batch,
    no_such_signal,
)
from slmroute_plugin.backends.follow_up import FollowUpPrompts
from slmroute_plugin.backends.generation import Generation
from slmroute_plugin.backends.kept_tokens import Kept
from slmroute_plugin.backends.requested_signals import RequestedSignals, shown_samples
from slmroute_plugin.backends.restated import restated_messages
from slmroute_plugin.backends.seeding import question_seed
from slmroute_plugin.backends.state_tokens import state_tokens
from slmroute_plugin.backends.stop_rule import StopRule
from slmroute_plugin.backends.stop_strings import kept_span, restated_end
from slmroute_plugin.backends.word_tokens import beginning_tokens
from slmroute_plugin.backends.work import (
    SequenceWork,
    TokenSequence,
    Trace,
    Work,
    trace,
    with_seconds,
)

__all__ = [
    "Advises",
    "Backend",
    "BatchSizes",
    "FollowUpPrompts",
    "Generation",
    "Kept",
    "Observed",
    "Question",
    "ReadsPrompts",
    "RequestedSignals",
    "Resumable",
    "SequenceWork",
    "SizesBatches",
    "Span",
    "StopRule",
    "TokenSequence",
    "Trace",
    "Work",
    "beginning_tokens",
    "choice_prob",
    "in_one_batch",
    "kept_span",
    "no_such_signal",
    "question_seed",
    "restated_end",
    "restated_messages",
    "shown_samples",
    "state_tokens",
    "trace",
    "with_seconds",
]
