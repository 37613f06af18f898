"""Whether to route at all: each method against the SLM alone, the LLM alone and random routing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.comparison import LEVEL, holm
from slmroute_plugin.analysis.measures.routing_curves import ranking
from slmroute_plugin.analysis.measures.total_cost import Spent

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARES = np.arange(1, 20) / 20
"""The shares of the questions that the policies route at most: 5%, 10%, …, 95%."""

LEAST_GAIN = 0.01
"""The gain in accuracy below which another policy counts as just as good."""

FEWEST = 20
"""The number of questions that a policy has to route, and to keep, to be tested."""

ROUTE = "ROUTE"
DO_NOT_ROUTE = "DO NOT ROUTE"
CANNOT_BE_TOLD = "CANNOT BE TOLD"

ALL_COSTS, LLM_CALLS = "all costs", "LLM calls"


class Routing(NamedTuple):
    """The questions of one SLM, method and LLM on one data set.

    Attributes:
        confidence: [n]: the confidences; NaN, where there is none, is least sure.
        slm: [n]: whether the SLM's answer is right.
        llms: [n, m]: whether the answer of each of m LLMs is right.
        spent: the costs of the questions, by LLM; a cost that is not known is NaN.
    """

    confidence: Floats
    slm: Bools
    llms: Bools
    spent: Sequence[Spent]


@dataclass(frozen=True, eq=False)
class Policies:
    """The policies of one method and one LLM: what they are worth, in each of R resamples.

    Attributes:
        share: [19]: the share of the questions that each policy routes.
        accuracy: [19]: the overall accuracy of each policy.
        cost: [19]: the cost of a question under each policy.
        gain: [19]: the accuracy of each policy less that of the best at no more cost.
        scale: [19]: the standard error of each gain, if every call of the LLM cost the same.
        resampled: [R, 19]: the gains in resamples.
        resampled_scale: [R, 19]: their standard errors.
        slm: the accuracy of the SLM.
        llm: the accuracy of the LLM.
        slm_cost: the cost of a question to the SLM alone.
        llm_cost: the cost of a question to the LLM alone.
        costs: whether all costs count, or the LLM's calls alone, as prices are not known.
        n: the number of questions.
    """

    share: Floats
    accuracy: Floats
    cost: Floats
    gain: Floats
    scale: Floats
    resampled: Floats
    resampled_scale: Floats
    slm: float
    llm: float
    slm_cost: float
    llm_cost: float
    costs: str
    n: int

    @property
    def counts(self) -> Bools:
        """Which policies count, [19]: those that may be told and that do not cost too much.

        A policy that costs more than the LLM alone saves nothing. One that routes or keeps fewer
        than 20 questions rests on too few of them.
        """
        fewest = np.minimum(self.share, 1 - self.share) * self.n
        return np.asarray((self.cost <= self.llm_cost + 1e-12) & (fewest >= FEWEST - 1e-9))


def policies(routing: Routing, counts: Sequence[NDArray[np.float32]]) -> Iterator[Policies]:
    """Yield the policies of a method for each LLM.

    A policy routes the questions below a threshold, which is one of the method's own confidences:
    of each share in `SHARES` the largest that routes no more than this share. So the policies do
    not depend on which answers are right.

    Args:
        routing: the questions.
        counts: blocks of [n, resamples]: how often each question is in each resample.
    """
    known = [spent.of_slm + float(spent.llm.sum()) for spent in routing.spent]
    spent = [
        each if not np.isnan(total) else _calls(len(routing.slm))
        for each, total in zip(routing.spent, known, strict=True)
    ]
    m = len(spent)
    n = len(routing.slm)
    ranked = ranking(routing.confidence)
    # The last confidence that may be routed with at most so many questions; none for no question.
    at = np.searchsorted(ranked.end, SHARES * n + 1e-9, side="right")
    ends = np.concatenate(([0], ranked.end))[at]
    columns = np.column_stack(
        [
            np.ones(n),
            routing.slm,
            *(each.slm for each in spent),
            *(each.method for each in spent),
            routing.llms,
            *(each.llm for each in spent),
            routing.llms != routing.slm[:, None],
        ]
    )[ranked.order].astype(np.float64)
    sums = _sums(columns, ends, [np.ones((n, 1))], ranked.order)
    # A resample need not be more exact than the questions that happen to be in it.
    drawn = _sums(columns.astype(np.float32), ends, counts, ranked.order) if counts else None
    for k in range(m):
        picked = [0, 1, *(2 + part * m + k for part in range(5))]
        observed = _measured(sums[..., picked])
        none = np.empty((0, len(SHARES)))
        resampled = _measured(drawn[..., picked]) if drawn is not None else None
        yield Policies(
            observed.share[0],
            observed.accuracy[0],
            observed.cost[0],
            observed.gain[0],
            observed.scale[0],
            none if resampled is None else resampled.gain,
            none if resampled is None else resampled.scale,
            float(observed.slm[0, 0]),
            float(observed.llm[0, 0]),
            float(observed.slm_cost[0, 0]),
            float(observed.llm_cost[0, 0]),
            LLM_CALLS if np.isnan(known[k]) else ALL_COSTS,
            n,
        )


def _calls(n: int) -> Spent:
    """Return the cost of n questions in calls of the LLM."""
    return Spent(np.zeros(n), np.zeros(n), np.ones(n))


def _sums(
    columns: NDArray[Any],
    ends: NDArray[np.intp],
    counts: Sequence[NDArray[Any]],
    order: NDArray[np.intp],
) -> Floats:
    """Sum columns [n, c], which are in order, over the first `ends` rows of every resample.

    Returns:
        [R, 19 + 1, c]: the sums over the routed rows of each policy, and over all rows.
    """
    edges = np.concatenate(([0], ends, [len(columns)]))
    blocks = []
    for block in counts:
        ordered = block[order]
        parts = np.zeros((block.shape[1], len(edges) - 1, columns.shape[1]))
        for part, (low, high) in enumerate(pairwise(edges)):
            if high > low:
                parts[:, part] = ordered[low:high].T @ columns[low:high]
        blocks.append(np.cumsum(parts, axis=1))
    return np.concatenate(blocks)


class _Measured(NamedTuple):
    share: Floats
    accuracy: Floats
    cost: Floats
    gain: Floats
    scale: Floats
    slm: Floats
    llm: Floats
    slm_cost: Floats
    llm_cost: Floats


def _measured(sums: Floats) -> _Measured:
    """Compute what policies are worth from the sums of seven columns, [R, 19 + 1, 7].

    At the cost of a policy, the others are: the SLM alone, the LLM alone, and routing a random
    share to the LLM without asking the SLM. The best of them by accuracy is what the policy has to
    beat.

    The standard error is that of the mean of (gᵢ − g)(wᵢ − q), where gᵢ is 1 if the LLM alone is
    right, −1 if the SLM alone is, and else 0; g is its mean, but not below 0; wᵢ is whether the
    question is routed; and q is the share that random routing has for the same cost, or 0 where the
    SLM alone is the best.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / sums[:, -1:, :1]
        routed, whole = means[:, :-1], means[:, -1:]
        right = whole[..., 1] - routed[..., 1] + routed[..., 4]
        slm, llm = whole[..., 1], whole[..., 4]
        slm_cost, llm_cost = whole[..., 2], whole[..., 5]
        cost = slm_cost + whole[..., 3] + routed[..., 5]
        mixed = np.where(
            llm_cost > slm_cost, ((cost - slm_cost) / (llm_cost - slm_cost)).clip(0, 1), 1.0
        )
        best = slm + np.maximum(llm - slm, 0) * mixed
        gap = np.maximum(llm - slm, 0)
        shared = np.where(gap > 0, mixed, 0.0)
        inside, outside = routed, whole - routed
        first, second = (
            [
                part[..., 4] - part[..., 1] - gap * part[..., 0],
                part[..., 6]
                - 2 * gap * (part[..., 4] - part[..., 1])
                + np.square(gap) * part[..., 0],
            ]
            for part in (inside, outside)
        )
        mean = (1 - shared) * first[0] - shared * second[0]
        square = np.square(1 - shared) * first[1] + np.square(shared) * second[1]
        scale = np.sqrt(np.maximum(square - np.square(mean), 0) / sums[:, -1:, 0])
    return _Measured(routed[..., 0], right, cost, right - best, scale, slm, llm, slm_cost, llm_cost)


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


def overall(on_datasets: Sequence[Policies]) -> Policies:
    """Average policies over data sets, each of which counts the same.

    The policies of a data set have thresholds of their own, at the same shares. Where the price is
    not known on every data set, costs are not known.
    """
    all_costs = all(each.costs == ALL_COSTS for each in on_datasets)
    fewest = min(len(each.resampled) for each in on_datasets)

    def mean(name: str) -> Floats:
        return np.asarray(np.mean([getattr(each, name) for each in on_datasets], axis=0))

    def scale(parts: Sequence[Floats]) -> Floats:
        return np.asarray(np.sqrt(np.sum(np.square(parts), axis=0)) / len(parts))

    return Policies(
        share=mean("share"),
        accuracy=mean("accuracy"),
        cost=mean("cost"),
        gain=mean("gain"),
        scale=scale([each.scale for each in on_datasets]),
        resampled=np.asarray(np.mean([each.resampled[:fewest] for each in on_datasets], axis=0)),
        resampled_scale=scale([each.resampled_scale[:fewest] for each in on_datasets]),
        slm=float(mean("slm")),
        llm=float(mean("llm")),
        slm_cost=float(mean("slm_cost")),
        llm_cost=float(mean("llm_cost")),
        costs=ALL_COSTS if all_costs else LLM_CALLS,
        n=sum(each.n for each in on_datasets),
    )


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
        return CANNOT_BE_TOLD, "there are too few questions"
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
