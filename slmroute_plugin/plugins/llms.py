"""The lookup of the stronger model that the settings name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from slmroute_plugin.llm.exchange import Llm, LlmError
from slmroute_plugin.llm.settings import LlmSettings
from slmroute_plugin.plugins.loading import plugin_manager


def llm_for(settings: LlmSettings, results: Path) -> Llm:
    """Return the stronger model: behind an API, replayed, or a plugin's.

    All tasks of a process share one model, so that budget and limits hold for the run.

    Raises:
        LlmError: If no installed plugin knows the model, or if its address cannot be used.
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
