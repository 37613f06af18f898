"""The contract of a backend: how one kind of lm-eval model delivers the signals asked of it."""

from slmroute_plugin.backends.contract import (
    Backend,
    BatchSizes,
    Observed,
    Question,
    Resumable,
    SizesBatches,
    Span,
    in_one_batch,
)

__all__ = [
    "Backend",
    "BatchSizes",
    "Observed",
    "Question",
    "Resumable",
    "SizesBatches",
    "Span",
    "in_one_batch",
]
