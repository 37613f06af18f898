"""The OpenAI protocol, for SLMs and LLMs alike: endpoints, attempts, failures and bodies."""
