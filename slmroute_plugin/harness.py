"""All that is imported from lm-eval: where a new version of it moves a name, this module breaks."""

from __future__ import annotations

from importlib import import_module
from typing import Any

API_MODELS = "lm_eval.models.api_models"
HUGGING_FACE_MODELS = "lm_eval.models.huggingface"
OPENAI_MODELS = "lm_eval.models.openai_completions"
VLLM_MODELS = "lm_eval.models.vllm_causallms"

NAMES = {
    "lm_eval.api.filter": ("Filter", "FilterEnsemble"),
    "lm_eval.api.instance": ("Instance",),
    "lm_eval.api.metrics": ("mean",),
    "lm_eval.api.model": ("LM",),
    "lm_eval.api.registry": ("get_model",),
    "lm_eval.api.task": ("ConfigurableTask",),
    "lm_eval.config.evaluate_config": ("EvaluatorConfig",),
    "lm_eval.models.utils": ("handle_stop_sequences", "normalize_gen_kwargs", "truncate_tokens"),
    "lm_eval.tasks": ("TaskManager",),
    "lm_eval.utils": (
        *("apply_template", "create_iterator", "handle_non_serializable", "hash_string"),
        *("sanitize_model_name", "simple_parse_args_string", "warning_once"),
    ),
}
"""The names that are imported, by the module of lm-eval that holds them."""

_MODULES = {name: module for module, names in NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name where it is asked for, since some modules of lm-eval take seconds to import."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def model_class(name: str) -> Any:
    """Return the model class that lm-eval knows by a name, such as `hf`.

    Raises:
        ValueError: If there is none.
    """
    import_module("lm_eval.models")  # it fills the registry
    return import_module("lm_eval.api.registry").get_model(name)
