"""The lookup of the backend that serves an lm-eval model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slmroute_plugin.backends import Backend
from slmroute_plugin.harness import HUGGING_FACE_MODELS, OPENAI_MODELS, VLLM_MODELS

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM


def backend_for(lm: LM) -> Backend:
    """Return the backend that serves `lm`: a plugin's, our own, or the backend of plain answers."""
    from slmroute_plugin.backends.plain import PlainBackend
    from slmroute_plugin.plugins.loading import plugin_manager

    offered: Backend | None = plugin_manager().hook.slmroute_backend(lm=lm)
    if offered is not None:
        return offered
    # The classes are asked for by name, so that API models need no torch.
    modules = {base.__module__ for base in type(lm).__mro__}
    if HUGGING_FACE_MODELS in modules:
        from slmroute_plugin.backends.transformers import transformers_backend

        local = transformers_backend(lm)
        if local is not None:
            return local
    if VLLM_MODELS in modules:
        from slmroute_plugin.backends.vllm.backend import vllm_backend

        return vllm_backend(lm)
    if OPENAI_MODELS in modules:
        from slmroute_plugin.backends.openai_compatible import openai_compatible_backend

        remote = openai_compatible_backend(lm)
        if remote is not None:
            return remote
    return PlainBackend(lm)
