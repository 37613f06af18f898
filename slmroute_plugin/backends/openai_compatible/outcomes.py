"""The outcomes of a run's questions: passed on, held back, and summed up at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from slmroute_plugin.backends.contract import Observed
from slmroute_plugin.backends.openai_compatible.server import ServerError
from slmroute_plugin.backends.openai_compatible.signal_requests import Outcome
from slmroute_plugin.openai_protocol.failures import Failure

logger = logging.getLogger(__name__)

_MOST_REASONS = 3


@dataclass
class Outcomes:
    """The outcomes of a run's questions, counted.

    Args:
        server: its name.
        total: number of questions.
    """

    server: str
    total: int
    answered: int = 0
    delivered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    held: list[Observed] = field(default_factory=list)

    def passed_on(self, results: Iterable[Outcome | Failure]) -> Iterator[Observed]:
        """Yield the observations among the results, and count the others."""
        for result in results:
            if isinstance(result, Failure):
                self.failed[result.text] += 1
                continue
            observed = replace(result.observed, is_answer=result.is_whole and not result.absent)
            if result.absent:
                self.empty[result.absent] += 1
            # A server that refuses all is asked wrongly: its refusals are not answers.
            if result.is_refused and not self.answered:
                self.held.append(observed)
                continue
            self.answered += not result.is_refused
            self.delivered += 1 + len(self.held)
            yield from self.held
            self.held.clear()
            yield observed

    def conclude(self) -> None:
        """Log which answers are missing.

        Raises:
            ServerError: some were not to be had, or all were refused.
        """
        if self.held and not self.failed:
            raise ServerError(f"{self.server} refuses every question: {_most(self.empty)}")
        if self.empty:
            logger.warning(
                "%d of %d answers are not the model's, and have no confidence: %s",
                self.empty.total(),
                self.total,
                _most(self.empty),
            )
        if not self.failed:
            return
        if not self.delivered:
            raise ServerError(f"{self.server} cannot be asked: {_most(self.failed)}")
        raise ServerError(
            f"{self.server} left {self.total - self.delivered} of {self.total} questions without "
            f"an answer: {_most(self.failed)}"
        )


def _most(reasons: Counter[str]) -> str:
    return "; ".join(f"{count} × {text}" for text, count in reasons.most_common(_MOST_REASONS))
