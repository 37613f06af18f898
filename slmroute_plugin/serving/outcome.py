"""The end of a request, for the log and the metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass

from slmroute_plugin.serving.router import Router

CANCELLED = 499  # nginx's status for a client that has gone


@dataclass
class Outcome:
    """The outcome of one request.

    Attributes:
        router: The router, with the log and the metrics.
        request_id: The id of the request.
        started: When it came, by the monotonic clock.
    """

    router: Router
    request_id: str
    started: float

    def end(
        self, answered_by: str, status: int, error: str | None, cost_usd: float | None = None
    ) -> None:
        """Log and count the end of the request.

        Args:
            answered_by: `slm`, `llm`, or `none`.
            status: The HTTP status; 502 for a stream that broke, 499 for a client that has gone.
            error: What failed; None if nothing did.
            cost_usd: The dollars of the LLM's answer, which may have had no text; None if they
                are not known.
        """
        seconds = time.monotonic() - self.started
        metrics = self.router.metrics
        metrics.responses.labels(answered_by, str(status)).inc()
        metrics.seconds.labels(answered_by).observe(seconds)
        metrics.cost.labels("answer").inc(cost_usd or 0.0)
        self.router.log.write(
            "outcome",
            id=self.request_id,
            answered_by=answered_by,
            status=status,
            error=error,
            llm_cost_usd=cost_usd,
            seconds=round(seconds, 4),
        )
