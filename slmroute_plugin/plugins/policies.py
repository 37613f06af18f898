"""The lookup of the routing policy that the settings name."""

from __future__ import annotations

from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.routing.policy import Policy, Ratio, Threshold
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.storage.threshold_file import read_threshold


def policy_for(route: RouteSettings) -> Policy:
    """Return the policy: a threshold, a ratio, or a plugin's policy.

    Raises:
        ValueError: If the threshold file cannot be used, or if no plugin knows the policy.
    """
    if route.ratio is not None:
        return Ratio(route.ratio, route.seed)
    if route.threshold is not None:
        return Threshold(route.threshold)
    if route.threshold_from is not None:
        return Threshold(read_threshold(route.threshold_from, route.method))
    offered: Policy | None = plugin_manager().hook.slmroute_policy(config=route.policy)
    if offered is None:
        raise ValueError(f"no installed plugin knows the policy {route.policy!r}")
    return offered
