"""The UQ methods that come with slmroute, offered through the hook that other packages use."""

from __future__ import annotations

from slmroute_plugin import hookimpl
from slmroute_plugin.methods.protocol import AnyMethod
from uq_plugins.average_token_prob import AverageTokenProb
from uq_plugins.combined import Combined
from uq_plugins.combined_ood import CombinedOod
from uq_plugins.jaccard_degree import JaccardDegree
from uq_plugins.ood_probe import OodProbe
from uq_plugins.p_true import PTrue
from uq_plugins.perplexity import Perplexity
from uq_plugins.probe_dirichlet import ProbeDirichlet
from uq_plugins.trained_probe import TrainedProbe
from uq_plugins.verbalization_1s import Verbalization1S
from uq_plugins.verbalization_2s import Verbalization2S

__all__ = [
    "AverageTokenProb",
    "Combined",
    "CombinedOod",
    "JaccardDegree",
    "OodProbe",
    "PTrue",
    "Perplexity",
    "ProbeDirichlet",
    "TrainedProbe",
    "Verbalization1S",
    "Verbalization2S",
    "slmroute_methods",
]


@hookimpl
def slmroute_methods() -> tuple[AnyMethod, ...]:
    """Offer the methods with their default prompts and numbers."""
    return (
        AverageTokenProb(),
        Perplexity(),
        PTrue(),
        Verbalization1S(),
        Verbalization2S(),
        JaccardDegree(),
        TrainedProbe(),
        OodProbe(),
        ProbeDirichlet(),
        Combined(),
        CombinedOod(),
    )
