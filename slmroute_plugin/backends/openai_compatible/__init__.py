"""Models behind an OpenAI-compatible API: every signal that text and log-probabilities give."""

from slmroute_plugin.backends.openai_compatible.backend import openai_compatible_backend

__all__ = ["openai_compatible_backend"]
