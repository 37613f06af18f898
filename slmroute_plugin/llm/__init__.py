"""The stronger model: a model behind an OpenAI-compatible API, or a replay of an earlier run."""
