"""The contract of a backend: how one kind of lm-eval model delivers the signals asked of it."""

from slmroute_plugin.backends.contract import (
    Advises,
    Backend,
    BatchSizes,
    Observed,
    Question,
    Resumable,
    SizesBatches,
    Span,
    in_one_batch,
    no_such_signal,
)

__all__ = [
    "Advises",
    "Backend",
    "BatchSizes",
    "Observed",
    "Question",
    "Resumable",
    "SizesBatches",
    "Span",
    "in_one_batch",
    "no_such_signal",
]
