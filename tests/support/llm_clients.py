"""Clients of a stronger model, and questions for it."""

from __future__ import annotations

from collections.abc import Callable

from slmroute_plugin.llm.client import OpenAiLlm
from slmroute_plugin.llm.exchange import LlmRequest

Llm = Callable[..., OpenAiLlm]
"""Makes clients by their settings."""
Questions = Callable[[int], list[LlmRequest]]
"""Makes that many questions."""
