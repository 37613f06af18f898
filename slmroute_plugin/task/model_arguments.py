"""Keys among `--model_args`, which lm-eval writes into its logs and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SECRET = frozenset({"api_key", "auth_token", "token", "access_token"})
_SECRET_HEADERS = frozenset({"authorization", "api-key", "x-api-key"})


def exposed_keys(model_args: Mapping[str, Any]) -> list[str]:
    """Names of the arguments that hold a key; never the key.

    >>> exposed_keys({"model": "m", "api_key": "sk-…", "header": {"X-API-Key": "sk-…"}})
    ['api_key', 'header']
    """
    return [name for name, value in model_args.items() if _holds_key(name, value)]


def _holds_key(name: str, value: Any) -> bool:
    if name == "header":
        headers = value if isinstance(value, Mapping) else {}
        return not _SECRET_HEADERS.isdisjoint(str(one).lower() for one in headers)
    return name in _SECRET and isinstance(value, str) and bool(value)
