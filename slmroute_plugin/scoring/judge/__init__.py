"""The LLM judge: whether a free-form answer says the same as the reference."""
