"""The proxy's metrics, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from slmroute_plugin.storage.logged_requests import BY_CONFIDENCE

# Names of parameters come from clients: as labels, they would be without number.
_REASONS = frozenset(
    {
        *("confident", "unsure", "no_confidence", "forced", "tools", "images", "n", "temperature"),
        *("response_format", "last_message", "no_text", "slm_error", "slm_timeout"),
        *("slm_overloaded", "slm_cannot_be_asked"),
    }
)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_CONFIDENCES = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """The metrics of one proxy, in a registry of their own."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.decisions = Counter(
            "slmroute_decisions", "Decisions, by model and reason.", ["decision", "reason"],
            registry=own,
        )  # fmt: skip
        self.responses = Counter(
            "slmroute_responses", "Responses, by the model that answered and by status.",
            ["answered_by", "status"], registry=own,
        )  # fmt: skip
        self.seconds = Histogram(
            "slmroute_request_seconds", "Seconds until the answer was complete.", ["answered_by"],
            buckets=_SECONDS, registry=own,
        )  # fmt: skip
        self.slm_seconds = Histogram(
            "slmroute_slm_seconds", "Seconds for the SLM's answer and its confidence.",
            buckets=_SECONDS, registry=own,
        )  # fmt: skip
        self.confidence = Histogram(
            "slmroute_confidence", "The confidences that decided.", buckets=_CONFIDENCES,
            registry=own,
        )  # fmt: skip
        self.cost = Counter(
            "slmroute_llm_cost_usd", "Dollars of the LLM's answers, where known.", ["purpose"],
            registry=own,
        )  # fmt: skip
        self.pending = Gauge("slmroute_pending", "Requests at work.", registry=own)
        self.refused = Counter(
            "slmroute_refused", "Requests refused because too many were at work.", registry=own
        )
        self.shadows = Counter(
            "slmroute_shadows", "Kept requests that were sent to the LLM too.", ["outcome"],
            registry=own,
        )  # fmt: skip
        self.log_failures = Gauge(
            "slmroute_log_failures", "Lines that could not be written to the log.", registry=own
        )

    def decided(self, decision: str, reason: str, confidence: float | None) -> None:
        """Count a decision."""
        self.decisions.labels(decision, reason if reason in _REASONS else "parameter").inc()
        if confidence is not None and reason in BY_CONFIDENCE:
            self.confidence.observe(confidence)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
