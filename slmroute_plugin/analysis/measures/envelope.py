"""The best system for each budget, and the cheapest that is as accurate as each model alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.held_out import Counts, HeldOut, Mixture, Plan, held_out
from slmroute_plugin.analysis.measures.systems import System, Systems

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BUDGETS = 21
"""The number of budgets, from the cost of the cheapest model alone to that of the dearest."""

_SAME = 1e-9


class Choice(NamedTuple):
    """A system that is chosen on all questions, and what such a choice is worth on others.

    Attributes:
        system: the system.
        agreed: whether each half of the questions chooses the same models and method.
        accuracy_chosen: the accuracy of the system on the questions that it is chosen on.
        held_out: what is chosen on each half, on the other half.
    """

    system: System
    agreed: bool
    accuracy_chosen: float
    held_out: HeldOut


class AtBudget(NamedTuple):
    """The best systems that cost no more than a budget.

    Attributes:
        budget: dollars a question.
        best: the best of all systems.
        single: the best model alone.
        mixed: the best random mixture of two models alone, for the cost of `best`; held out.
    """

    budget: float
    best: Choice
    single: Choice
    mixed: HeldOut


class Saving(NamedTuple):
    """The cheapest systems that are as accurate as a model alone.

    Attributes:
        model: the model alone.
        is_best: whether no model alone is more accurate.
        alone: what the model alone is worth.
        cheapest: the cheapest of all systems.
        single: the cheapest model alone.
    """

    model: System
    is_best: bool
    alone: HeldOut
    cheapest: Choice
    single: Choice


class Envelope(NamedTuple):
    """The envelope of all systems on one data set, or over several.

    Attributes:
        n: the number of questions.
        at_budgets: the best systems at each budget, ascending.
        savings: the cheapest systems as accurate as each model alone.
    """

    n: int
    at_budgets: Sequence[AtBudget]
    savings: Sequence[Saving]


def envelope(on_datasets: Sequence[Systems], counts: Sequence[Counts]) -> Envelope | None:
    """Compute the envelope over data sets, each of which counts the same.

    A system that was chosen as the best on some questions looks better on them than it is. So what
    is chosen on one half of the questions is judged on the other half, and the other way round.

    Args:
        on_datasets: the systems of each data set. Those that are not on all of them are left out.
        counts: for each data set blocks of [n, resamples]: how often each question is in each
            resample.

    Returns:
        The envelope; None if there is no model alone, or no system that routes, on all data sets.
    """
    systems = _Averaged.of(on_datasets)
    if not systems.alone.any() or systems.alone.all():
        return None
    budgets, models = systems.budgets(), np.flatnonzero(systems.alone).tolist()
    anything = np.ones_like(systems.alone)
    wanted = [
        *(systems.best_within(budget, anything) for budget in budgets),
        *(systems.best_within(budget, systems.alone) for budget in budgets),
        *(systems.cheapest_as(model, anything) for model in models),
        *(systems.cheapest_as(model, systems.alone) for model in models),
    ]
    plans: list[Plan] = [
        *(({systems.names[one]: 1.0}, {systems.names[other]: 1.0}) for one, other, _ in wanted),
        *(systems.mixtures_for(places) for places in wanted[: len(budgets)]),
        *(({systems.names[model]: 1.0}, {systems.names[model]: 1.0}) for model in models),
    ]
    worth = held_out(on_datasets, plans, counts)
    choices = [systems.choice(places, of) for places, of in zip(wanted, worth, strict=False)]
    b, m = len(budgets), len(models)
    best, single, cheapest, cheapest_single = (
        choices[:b], choices[b : 2 * b], choices[2 * b : 2 * b + m], choices[2 * b + m :]
    )  # fmt: skip
    mixed, alone = worth[len(wanted) : len(wanted) + b], worth[len(wanted) + b :]
    accuracy = systems.accuracy[2, models]
    is_best = (accuracy >= accuracy.max() - _SAME).tolist()
    named = [systems.names[model] for model in models]
    return Envelope(
        sum(len(each.halves) for each in on_datasets),
        list(map(AtBudget, budgets, best, single, mixed)),
        list(map(Saving, named, is_best, alone, cheapest, cheapest_single)),
    )


_Places = tuple[int, int, int]
"""What the first half, the second half and all questions choose: places of systems."""


@dataclass(frozen=True, eq=False)
class _Averaged:
    """The S systems that are on all data sets, with their means over these.

    Attributes:
        names: the systems.
        accuracy: [3, S]: the accuracies on the first half, the second half and all questions.
        cost: [3, S]: the dollars a question, likewise.
        alone: [S]: which of them are models alone.
    """

    names: Sequence[System]
    accuracy: Floats
    cost: Floats
    alone: Bools

    @classmethod
    def of(cls, on_datasets: Sequence[Systems]) -> _Averaged:
        """Average systems over data sets."""
        names = [
            name for name in on_datasets[0].place if all(name in each.place for each in on_datasets)
        ]
        at = [[each.place[name] for name in names] for each in on_datasets]
        return cls(
            names,
            np.mean([each.accuracy[:, own] for each, own in zip(on_datasets, at, strict=True)], 0),
            np.mean([each.cost[:, own] for each, own in zip(on_datasets, at, strict=True)], 0),
            np.asarray([name.is_alone for name in names], dtype=bool),
        )

    def budgets(self) -> list[float]:
        """Return budgets, evenly spaced in their logarithm, or in dollars if a model is free."""
        low, high = self.cost[2, self.alone].min(), self.cost[2, self.alone].max()
        if high <= low:
            return [float(high)]
        spaced = np.geomspace if low > 0 else np.linspace
        return [float(budget) for budget in spaced(low, high, BUDGETS)]

    def choice(self, places: _Places, worth: HeldOut) -> Choice:
        """Describe a choice."""
        first, second, last = (self.names[place] for place in places)
        agreed = first.models == second.models == last.models
        return Choice(last, agreed, float(self.accuracy[2, places[2]]), worth)

    def best_within(self, budget: float, among: Bools) -> _Places:
        """Choose the best of some systems within a budget; of equals, the cheapest.

        The costs that a budget limits are those of all questions: they do not tell which answers
        are right.
        """
        cost = self.cost[2]
        within = among & (cost <= budget * (1 + _SAME))

        def best(accuracy: Floats) -> int:
            return _cheapest(cost, within & (accuracy >= accuracy[within].max() - _SAME))

        first, second, last = map(best, self.accuracy)
        return first, second, last

    def cheapest_as(self, model: int, among: Bools) -> _Places:
        """Choose the cheapest of some systems that are as accurate as the model at a place."""

        def cheapest(accuracy: Floats, cost: Floats) -> int:
            return _cheapest(cost, among & (accuracy >= accuracy[model] - _SAME))

        first, second, last = map(cheapest, self.accuracy, self.cost)
        return first, second, last

    def mixtures_for(self, places: _Places) -> Plan:
        """Choose on each half the best mixture that costs no more than the system chosen there."""
        first, second, _ = places
        cost = self.cost[2]
        return self._mixture(0, float(cost[first])), self._mixture(1, float(cost[second]))

    def _mixture(self, half: int, budget: float) -> Mixture:
        """Choose on a half the best random mixture of two models alone within a budget.

        A system that routes may cost less than every model alone, where it sends to the LLM what
        is cheap there and dear to the SLM. Then it is the cheapest model that stands against it.
        """
        accuracy, cost = self.accuracy[half], self.cost[2]
        budget = max(budget, float(cost[self.alone].min()))
        best = self.best_within(budget, self.alone)[half]
        mixture, reached = {self.names[best]: 1.0}, accuracy[best]
        models = np.flatnonzero(self.alone)
        for low in models[cost[models] < budget]:
            for high in models[cost[models] > budget]:
                weight = float((budget - cost[low]) / (cost[high] - cost[low]))
                mean = (1 - weight) * accuracy[low] + weight * accuracy[high]
                if mean > reached + _SAME:
                    reached = mean
                    mixture = {self.names[low]: 1 - weight, self.names[high]: weight}
        return mixture


def _cheapest(cost: Floats, among: Bools) -> int:
    return int(np.argmin(np.where(among, cost, np.inf)))
