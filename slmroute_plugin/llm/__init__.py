"""The stronger model: asked through an OpenAI-compatible API, or replayed from an earlier run."""
