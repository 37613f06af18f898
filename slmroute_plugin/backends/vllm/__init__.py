"""Models that vLLM runs: all signals of a local model, by the engine that lm-eval starts."""
