"""What is in the sets of UQ methods that have a name."""

from __future__ import annotations

from collections.abc import Mapping

from slmroute_plugin.methods.before_answer import need_of_answer
from slmroute_plugin.methods.protocol import TrainedMethod
from slmroute_plugin.plugins.methods import RegisteredMethod

# The sets that a list of names may hold.
IN_LISTS = ("paper", "free", "prompt")

# The eight of "Confident or Seek Stronger" (arXiv 2502.04428).
PAPER = (
    "average_token_prob",
    "perplexity",
    "p_true",
    "verbalization_1s",
    "verbalization_2s",
    "jaccard_degree",
    "trained_probe",
    "ood_probe",
)


def members(name: str, registered: Mapping[str, RegisteredMethod]) -> list[str]:
    """Return the names of the methods in a set, in the order of registration.

    Args:
        name: The name of the set: `auto` for every method that is not on request, `all`, `none`,
            `paper` for the eight of the paper, `free` for the untrained methods that cost
            nothing beyond the answer, or `prompt` for those that need the prompt alone.
        registered: The methods on offer.
    """
    return [method for method, own in registered.items() if _is_member(name, method, own)]


def _is_member(name: str, method: str, own: RegisteredMethod) -> bool:
    if name == "auto":
        return not own.on_request
    if name == "paper":
        return method in PAPER
    if name == "free":
        is_trained = isinstance(own.method, TrainedMethod)
        return not is_trained and all(signal.is_free for signal in own.method.asks)
    if name == "prompt":
        return need_of_answer(own.method) is None
    return name == "all"
