"""The analysis of answers: how confidence and correctness agree, routing curves, thresholds.

The functions named here take arrays and data frames. Below, saved runs are measured: on sample
files alone, as no module here imports torch, lm-eval or the engine.
"""

from slmroute_plugin.analysis.arrays.alignment import alignment_table, auroc, auroc_interval
from slmroute_plugin.analysis.arrays.curves import (
    kept_accuracy_curve,
    routing_curve,
    routing_summary,
)
from slmroute_plugin.analysis.arrays.runs import read_runs
from slmroute_plugin.analysis.arrays.thresholds import apply_threshold, find_threshold

__all__ = [
    "alignment_table",
    "apply_threshold",
    "auroc",
    "auroc_interval",
    "find_threshold",
    "kept_accuracy_curve",
    "read_runs",
    "routing_curve",
    "routing_summary",
]
