"""The policy and the stronger model that the settings name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from slmroute_plugin.llm.exchange import Llm, LlmError
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.plugins.loading import plugin_manager
from slmroute_plugin.routing.policy import Policy, Ratio, Threshold
from slmroute_plugin.routing.settings import RouteSettings
from slmroute_plugin.storage.threshold_file import read_threshold


def policy_for(route: RouteSettings) -> Policy:
    """The policy: a threshold, a ratio, or a plugin's.

    Raises:
        ValueError: the threshold file cannot be used, or no plugin knows the policy.
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


def llm_for(settings: LlmSettings, results: Path) -> Llm:
    """The stronger model: behind an API, replayed, or a plugin's.

    All tasks of a process share one, so that budget and limits hold for the run.

    Raises:
        LlmError: no installed plugin knows it, or its cache cannot be used.
    """
    return _llm(settings.model_dump_json(), results)


@cache
def _llm(settings_json: str, results: Path) -> Llm:
    settings = LlmSettings.model_validate_json(settings_json)
    if settings.replay is not None:
        from slmroute_plugin.llm.replay import ReplayLlm

        return ReplayLlm(settings.replay)
    if settings.backend is not None:
        offered: Llm | None = plugin_manager().hook.slmroute_llm(config=settings.backend)
        if offered is None:
            raise LlmError(f"No installed plugin knows the LLM {settings.backend!r}.")
        return offered
    from slmroute_plugin.llm.client import OpenAiLlm

    return OpenAiLlm(settings, results)
