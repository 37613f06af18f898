"""Whether to route at all: each method against the SLM alone, the LLM alone and random routing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from slmroute_plugin.analysis.measures.comparison import LEVEL, holm
from slmroute_plugin.analysis.measures.routing_policies import (
    ALL_COSTS,
    FEWEST,
    LLM_CALLS,
    Policies,
)

LEAST_GAIN = 0.01
"""The gain in accuracy below which another policy counts as just as good."""

ROUTE = "ROUTE"
DO_NOT_ROUTE = "DO NOT ROUTE"
CANNOT_BE_TOLD = "CANNOT BE TOLD"


class Tested(NamedTuple):
    """A test of the policies of one method and LLM.

    Attributes:
        best: the number of the policy with the clearest gain.
        low: the 2.5th percentile of that policy's resampled gain.
        high: the 97.5th percentile.
        most: the largest 95th percentile of any policy's resampled gain; −∞ if none counts.
        p_value: of the hypothesis that no policy has a gain.
    """

    best: int
    low: float
    high: float
    most: float
    p_value: float


def tested(of: Policies) -> Tested:
    """Test whether any policy has a gain, by its clearest gain among all policies (max-t).

    The statistic is the largest gain in units of its standard error. Its distribution without a
    gain is that of the resampled gains less the observed, each in units of its own standard error
    (bootstrap-t, Efron and Tibshirani 1993, ch. 12), so that the choice of the best policy is paid
    for (Westfall and Young 1993).

    Args:
        of: the policies.
    """
    gain, resampled, counts = of.gain, of.resampled, of.counts
    if not len(resampled) or not counts.any():
        most = np.nan if counts.any() else -np.inf
        best = int(np.argmax(np.where(counts, gain, -np.inf)))
        return Tested(best, np.nan, np.nan, most, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        varies = of.scale > 1e-9
        clear = np.where(varies, gain / of.scale, np.where(gain > 1e-9, np.inf, -np.inf))
        clear = np.where(counts, clear, -np.inf)
        # A resample in which hardly anything varies must not decide by that.
        scale = np.maximum(of.resampled_scale, of.scale / 4)
        by_chance = np.where(counts & varies, (resampled - gain) / scale, -np.inf).max(axis=1)
    best = int(np.argmax(clear))
    p_value = (1 + int((by_chance >= clear[best]).sum())) / (1 + len(resampled))
    low, high = np.quantile(resampled[:, best], [LEVEL / 2, 1 - LEVEL / 2])
    most = float(np.quantile(resampled[:, counts], 1 - LEVEL, axis=0).max())
    return Tested(best, float(low), float(high), most, p_value if clear[best] > 0 else 1.0)


class Verdict(NamedTuple):
    """A verdict on one method and LLM: a row of the table `verdicts` after its names.

    Attributes:
        verdict: `ROUTE`, `DO NOT ROUTE` or `CANNOT BE TOLD`.
        reason: why it is not `ROUTE`; "" if it is.
        costs: what was counted: all costs, or the LLM's calls.
        n: the number of questions.
        accuracy_slm: the accuracy of the SLM.
        accuracy_llm: the accuracy of the LLM.
        cost_slm: the dollars of a question to the SLM alone; NaN if not all costs were counted.
        cost_llm: the dollars of a question to the LLM alone; NaN if not all costs were counted.
        share: the share that the policy with the clearest gain routes.
        accuracy: its accuracy.
        cost: its dollars for a question; NaN if not all costs were counted.
        gain: its accuracy less that of the best at no more cost.
        gain_low: the 2.5th percentile of the resampled gain.
        gain_high: the 97.5th percentile.
        p_value: of the hypothesis that no policy has a gain.
        p_holm: the same by Holm's correction.
    """

    verdict: str
    reason: str
    costs: str
    n: int
    accuracy_slm: float
    accuracy_llm: float
    cost_slm: float
    cost_llm: float
    share: float
    accuracy: float
    cost: float
    gain: float
    gain_low: float
    gain_high: float
    p_value: float
    p_holm: float


def verdicts(
    by_method: Mapping[str, Policies], least_gain: float = LEAST_GAIN
) -> dict[str, Verdict]:
    """Decide for each method with one LLM; Holm's correction is over these methods.

    Args:
        by_method: the policies of each method.
        least_gain: the gain below which another policy counts as just as good.
    """
    tests = {name: tested(each) for name, each in by_method.items()}
    p_values = [1.0 if np.isnan(test.p_value) else test.p_value for test in tests.values()]
    adjusted = dict(zip(tests, holm(p_values), strict=True))
    return {
        name: _verdict(each, tests[name], adjusted[name], least_gain)
        for name, each in by_method.items()
    }


def _verdict(of: Policies, test: Tested, p_holm: float, least_gain: float) -> Verdict:
    verdict, reason = _decided(of, test, p_holm, least_gain)
    counted = of.costs == ALL_COSTS
    nan = float("nan")
    at = test.best
    return Verdict(
        verdict,
        reason,
        of.costs,
        of.n,
        of.slm,
        of.llm,
        of.slm_cost if counted else nan,
        of.llm_cost if counted else nan,
        float(of.share[at]),
        float(of.accuracy[at]),
        float(of.cost[at]) if counted else nan,
        float(of.gain[at]),
        test.low,
        test.high,
        test.p_value,
        p_holm if not np.isnan(test.p_value) else nan,
    )


def _decided(of: Policies, test: Tested, p_holm: float, least_gain: float) -> tuple[str, str]:
    """Return the verdict, and why it is not to route."""
    if not of.counts.any():
        if (of.cost > of.llm_cost + 1e-12).all():
            return DO_NOT_ROUTE, "it costs more than the LLM alone"
        if of.known < 2 * FEWEST:
            return CANNOT_BE_TOLD, "there are too few questions"
        if of.may_be_told.any():
            return CANNOT_BE_TOLD, "at shares that can be told it costs more than the LLM alone"
        return CANNOT_BE_TOLD, "too many answers have the same confidence"
    if np.isnan(test.p_value):
        return CANNOT_BE_TOLD, "there are no resamples"
    gains = p_holm <= LEVEL
    if gains and of.costs == ALL_COSTS:
        return ROUTE, ""
    if not gains and test.most < least_gain:
        return DO_NOT_ROUTE, f"{_as_good(of, test.best)} is as good at no more cost"
    if of.costs == LLM_CALLS:
        return CANNOT_BE_TOLD, "prices are not known"
    return CANNOT_BE_TOLD, "there are too few questions for so small a difference"


def _as_good(of: Policies, at: int) -> str:
    """Name what the policy at a place has to beat."""
    if of.llm <= of.slm:
        return "the SLM alone"
    return "the LLM alone" if of.cost[at] >= of.llm_cost else "random routing"
