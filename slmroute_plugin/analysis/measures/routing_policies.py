"""Policies of routing at several thresholds, and what each gains over others at no more cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.routing_curves import Ranking, ranking
from slmroute_plugin.analysis.measures.total_cost import Spent

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARES = np.arange(1, 20) / 20
"""The shares of the questions that the policies route at most: 5%, 10%, …, 95%."""

FEWEST = 20
"""The number of questions that a policy has to route, and to keep, to be tested."""

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
        known: the number of questions with a confidence; over several data sets, of the data set
            with the fewest.
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
    known: int

    @property
    def counts(self) -> Bools:
        """Which policies count, [19]: those that may be told and that do not cost too much.

        A policy that costs more than the LLM alone saves nothing.
        """
        return np.asarray((self.cost <= self.llm_cost + 1e-12) & self.may_be_told)

    @property
    def may_be_told(self) -> Bools:
        """Which policies may be told, [19]: those that route and keep at least 20 questions.

        None, if fewer than 40 questions have a confidence.
        """
        fewest = np.minimum(self.share, 1 - self.share) * self.n
        return np.asarray((fewest >= FEWEST - 1e-9) & (self.known >= 2 * FEWEST))


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
    ends = ends_at_shares(ranked)
    columns = np.column_stack(
        [
            np.ones(n),
            routing.slm,
            *(each.slm for each in spent),
            *(each.method for each in spent),
            routing.llms,
            *(each.llm for each in spent),
            routing.llms != routing.slm[:, None],
            *(each.of_routing for each in spent),
        ]
    )[ranked.order].astype(np.float64)
    sums = _sums(columns, ends, [np.ones((n, 1))], ranked.order)
    # A resample need not be more exact than the questions that happen to be in it.
    drawn = _sums(columns.astype(np.float32), ends, counts, ranked.order) if counts else None
    for k in range(m):
        picked = [0, 1, *(2 + part * m + k for part in range(6))]
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
            int((~np.isnan(routing.confidence)).sum()),
        )


def ends_at_shares(ranked: Ranking) -> NDArray[np.intp]:
    """Count the questions that go to the LLM at each share in `SHARES`: [19].

    They are the questions below the largest threshold that routes no more than the share; none
    where even the least confidence has more questions than that.
    """
    at = np.searchsorted(ranked.end, SHARES * len(ranked.order) + 1e-9, side="right")
    return np.asarray(np.concatenate(([0], ranked.end))[at])


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
    """Compute what policies are worth from the sums of eight columns, [R, 19 + 1, 8].

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
        cost = slm_cost + whole[..., 3] + routed[..., 7]
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
        known=min(each.known for each in on_datasets),
    )
