"""The progress bar of an LLM's batch: questions answered, questions failed, and dollars spent."""

from __future__ import annotations

from tqdm import tqdm

from slmroute_plugin.llm.exchange import LlmReply


class Asking:
    """A progress bar of one batch of questions.

    Args:
        what: The name of the work, for instance a task's name.
        model: The name of the model that is asked.
        total: The number of questions.
        known: The number of questions that are answered already, from disk.
    """

    def __init__(self, what: str, model: str, total: int, known: int) -> None:
        self._bar = tqdm(
            total=total, initial=known, desc=f"{what} → {model}", unit="question", disable=not total
        )
        self._failed = 0
        self._cost_usd = 0.0

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.close()

    def advance(self, reply: LlmReply) -> None:
        """Count one more reply."""
        self._failed += reply.text is None
        self._cost_usd += reply.cost_usd or 0.0
        self._bar.set_postfix_str(f"{self._failed} failed, ${self._cost_usd:.4f}", refresh=False)
        self._bar.update()
