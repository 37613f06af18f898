"""The endpoint of the stronger model, as settings and environment name it."""

from __future__ import annotations

import os

from slmroute_plugin.llm.exchange import LlmError
from slmroute_plugin.openai_protocol.endpoint import (
    NO_KEY,
    OPENAI_URL,
    Endpoint,
    is_openai,
    url_fault,
)


def base_url(setting: str | None) -> str:
    """Return the API's base URL: the setting, else `$OPENAI_BASE_URL`, else OpenAI's.

    Raises:
        LlmError: If the URL in the environment cannot be used.
    """
    if setting is not None:
        return setting
    url = os.environ.get("OPENAI_BASE_URL", "").strip()
    if fault := url_fault(url or OPENAI_URL):
        raise LlmError(f"The environment variable OPENAI_BASE_URL {fault}.")
    return url or OPENAI_URL


def endpoint(url: str, key_variable: str) -> Endpoint:
    """Return the endpoint of a base URL, with the key that the environment holds.

    Raises:
        LlmError: If there is no key for OpenAI's API, or if the key cannot be sent.
    """
    key = os.environ.get(key_variable, "").strip()
    if not key and is_openai(url):
        raise LlmError(
            f"{url} needs a key: set the environment variable {key_variable}, or name another "
            "server with `base_url`."
        )
    # The HTTP packages would quote such a key in their errors and logs.
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise LlmError(
            f"The key in the environment variable {key_variable} holds a blank, a line break or "
            "another character that no key has: set it anew."
        )
    # A user's own server mostly needs no key, but the package insists on some text.
    return Endpoint(url, key or NO_KEY)
