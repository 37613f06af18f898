"""Shadow requests: a share of the kept requests goes to the LLM too, to compare the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from slmroute_plugin.observation import plain_words
from slmroute_plugin.scoring import Reference, rule
from slmroute_plugin.serving.metrics import Metrics
from slmroute_plugin.serving.upstream import LlmUpstream, UpstreamError
from slmroute_plugin.storage.decision_log import DecisionLog

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 4
_STREAMING = ("stream", "stream_options")
SameAnswer = Callable[[str, str], bool]


@dataclass(frozen=True)
class ShadowSettings:
    """The settings of shadow requests.

    Attributes:
        share: The share of kept requests that is sent to the LLM too, in [0, 1].
        budget_usd: The dollars after which no further one is sent; None for no limit.
        seed: The seed of the draw.
    """

    share: float = 0.0
    budget_usd: float | None = None
    seed: int = 0


class Shadow:
    """A sender of shadow requests, in the background.

    Args:
        settings: The share, the budget and the seed.
        llm: The LLM.
        log: The log that the pairs are written to.
        metrics: The metrics that count them.
        same: A function that says whether two answers are the same.
        log_text: Whether the log holds the texts.
    """

    def __init__(
        self,
        settings: ShadowSettings,
        llm: LlmUpstream,
        log: DecisionLog,
        metrics: Metrics,
        same: SameAnswer,
        log_text: bool,
    ) -> None:
        self._settings = settings
        self._llm = llm
        self._log = log
        self._metrics = metrics
        self._same = same
        self._log_text = log_text
        self._random = Random(settings.seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget = llm.part_of_budget(settings.budget_usd)

    def consider(self, request_id: str, body: Mapping[str, Any], answer: str) -> None:
        """Draw whether a kept request is sent too, and send it in the background if so."""
        if self._random.random() >= self._settings.share:
            return
        if self._budget.is_spent:
            self._metrics.shadows.labels("no_budget").inc()
            return
        if len(self._tasks) >= _MOST_AT_ONCE:
            self._metrics.shadows.labels("dropped").inc()
            return
        task = asyncio.create_task(self._compare(request_id, body, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way; each is logged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _compare(self, request_id: str, body: Mapping[str, Any], answer: str) -> None:
        plain = {name: value for name, value in body.items() if name not in _STREAMING}
        try:
            reply = await self._llm.complete(plain, self._budget)
            text = reply.with_text().text or ""
            # Expressions may take seconds to compare.
            agrees = await asyncio.to_thread(self._same, answer, text)
        except UpstreamError as error:
            self._failed(request_id, str(error), error.cost_usd)
            return
        except asyncio.CancelledError:
            self._failed(request_id, "given up as the proxy ended")
            raise
        except Exception as error:  # a fault here must not show in the answers
            logger.exception("a shadow request failed")
            self._failed(request_id, type(error).__name__)
            return
        cost = 0.0 if reply.cached else reply.cost_usd
        self._metrics.cost.labels("shadow").inc(cost or 0.0)
        self._metrics.shadows.labels("agrees" if agrees else "differs").inc()
        texts = {"slm_text": answer, "llm_text": text} if self._log_text else {}
        self._log.write("shadow", id=request_id, agrees=agrees, cost_usd=cost, error=None, **texts)

    def _failed(self, request_id: str, why: str, cost_usd: float | None = None) -> None:
        self._metrics.cost.labels("shadow").inc(cost_usd or 0.0)
        self._metrics.shadows.labels("failed").inc()
        self._log.write("shadow", id=request_id, agrees=None, cost_usd=cost_usd, error=why)


def same_answer(rule_name: str) -> SameAnswer:
    """Return the comparison of two answers.

    Args:
        rule_name: A scoring rule (`number`, `choice`, …), by whose final answers texts are
            compared; "" to compare their words.
    """
    if not rule_name:
        return lambda one, other: plain_words(one) == plain_words(other)
    from slmroute_plugin.scoring.final_answers import FinalAnswers

    reader = rule(rule_name)
    # A reader for each pair, because it remembers what it has read.
    return lambda one, other: FinalAnswers(reader, Reference(())).same(one, other)
