"""The OpenAI protocol: endpoints, attempts, failures and bodies, for SLMs and LLMs alike."""
