"""The model arguments of lm-eval: which model they name, and which keys they expose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SECRET = frozenset({"api_key", "auth_token", "token", "access_token"})
_SECRET_HEADERS = frozenset({"authorization", "api-key", "x-api-key"})


def exposed_keys(model_args: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments that hold a key; never the key.

    >>> exposed_keys({"model": "m", "api_key": "sk-…", "header": {"X-API-Key": "sk-…"}})
    ['api_key', 'header']
    """
    return [name for name, value in model_args.items() if _holds_key(name, value)]


def _holds_key(name: str, value: Any) -> bool:
    if name == "header":
        headers = value if isinstance(value, Mapping) else {}
        return not _SECRET_HEADERS.isdisjoint(str(header).lower() for header in headers)
    return name in _SECRET and isinstance(value, str) and bool(value)


def model_id(metadata: Mapping[str, Any]) -> str:
    """Return the model as lm-eval was given it, with its revision and file.

    The result is "" for a model that was passed in.
    """
    name = model_name(metadata)
    further = [metadata.get(key) for key in ("revision", "subfolder", "gguf_file")]
    return "@".join(str(part) for part in (name, *further) if part) if name else ""


def model_name(metadata: Mapping[str, Any]) -> str | None:
    """Return the name after which lm-eval calls the model's folder of results.

    The result is None for a model that was passed in.
    """
    # lm-eval names a model's folder after the first of these arguments. It hands them to tasks
    # as part of the metadata, but it hands the folder's name to nobody.
    for key in ("peft", "delta", "pretrained", "model", "path", "engine"):
        if metadata.get(key):
            return str(metadata[key])
    return None


def model_arguments(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments that lm-eval made the model from; empty if the model was passed in."""
    if model_name(metadata) is None:
        # The metadata then comes from the task's file and from lm-eval alone.
        return {}
    return {
        key: value for key, value in metadata.items() if key not in ("slmroute", "config_source")
    }
