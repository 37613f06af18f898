"""What a proxy decided, paid and compared, by its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from slmroute_plugin.storage.logged_requests import LoggedRequest


@dataclass(frozen=True)
class Rate:
    """A share of some requests, with its exact (Clopper–Pearson) 95% interval.

    Attributes:
        count: The number of requests that it is the share of.
        of: The number of requests among which they are.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None among no requests."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None among no requests."""
        from scipy.stats import binomtest

        if not self.of:
            return None
        ends = binomtest(self.count, self.of).proportion_ci(0.95, "exact")
        return float(ends.low), float(ends.high)


class Dollars(NamedTuple):
    """A sum of dollars, and the number of requests whose price is not known."""

    known: float
    unknown: int


@dataclass(frozen=True)
class DecisionSummary:
    """A summary of a log of decisions.

    Attributes:
        requests: The number of requests.
        reasons: The number of requests by decision and reason, as `llm: unsure`.
        answered_by: The number of requests by the model that answered: slm, llm or none.
        routed: Of the requests that the SLM's confidence decided, those for the LLM.
        calls: Of all requests, those that the LLM answered.
        fallen_back: Of the requests for the LLM, those that the SLM answered in its place.
        unfinished: The number of decisions without an end, as after a crash.
        llm: The dollars of the LLM's answers, those without a text among them.
        slm: The dollars of the SLM's answers and of the method.
        shadow: The dollars of shadow requests.
        agreement: Of the shadow requests that were answered, those whose two answers agree. It is
            not an accuracy: there are no labels.
        shadow_failed: The number of shadow requests without an answer.
    """

    requests: int
    reasons: Mapping[str, int]
    answered_by: Mapping[str, int]
    routed: Rate
    calls: Rate
    fallen_back: Rate
    unfinished: int
    llm: Dollars
    slm: Dollars
    shadow: Dollars
    agreement: Rate
    shadow_failed: int


def summary_of(requests: Sequence[LoggedRequest]) -> DecisionSummary:
    """Sum up the requests of a log."""
    decided = [each for each in requests if each.decision]
    ended = [each for each in decided if each.outcome]
    by_confidence = [each for each in decided if each.is_by_confidence]
    by_llm = [each for each in ended if each.outcome.get("answered_by") == "llm"]
    for_llm = [each for each in ended if each.is_routed]
    replaced = [each for each in for_llm if each.outcome.get("answered_by") == "slm"]
    # An answer without a text is paid too.
    lost = [each for each in replaced if each.outcome.get("llm_cost_usd") is not None]
    shadows = [each.shadow for each in decided if each.shadow]
    compared = [each for each in shadows if isinstance(each.get("agrees"), bool)]
    failed = [each for each in shadows if not isinstance(each.get("agrees"), bool)]
    lost_shadows = [each for each in failed if each.get("cost_usd") is not None]
    asked = [each for each in decided if each.decision.get("slm_s") is not None]
    return DecisionSummary(
        requests=len(decided),
        reasons=_counted(
            f"{each.decision['decision']}: {each.decision['reason']}" for each in decided
        ),
        answered_by=_counted(str(each.outcome.get("answered_by")) for each in ended),
        routed=Rate(sum(each.is_routed for each in by_confidence), len(by_confidence)),
        calls=Rate(len(by_llm), len(ended)),
        fallen_back=Rate(len(replaced), len(for_llm)),
        unfinished=len(decided) - len(ended),
        llm=_dollars(each.outcome.get("llm_cost_usd") for each in by_llm + lost),
        slm=_dollars(each.decision.get("slm_cost_usd") for each in asked),
        shadow=_dollars(each.get("cost_usd") for each in compared + lost_shadows),
        agreement=Rate(sum(each["agrees"] for each in compared), len(compared)),
        shadow_failed=len(failed),
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _dollars(values: Iterable[Any]) -> Dollars:
    every = list(values)
    known = [float(value) for value in every if isinstance(value, (int, float))]
    return Dollars(sum(known), len(every) - len(known))
