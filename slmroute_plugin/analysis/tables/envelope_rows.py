"""The tables `envelope` and `savings`: which models for which budget, on data sets and over all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from slmroute_plugin.analysis.measures.bootstrap_areas import Interval
from slmroute_plugin.analysis.measures.envelope import AtBudget, Choice, Saving, envelope
from slmroute_plugin.analysis.measures.systems import System, Systems, systems_of
from slmroute_plugin.analysis.study.runs import Setting, Study
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions, named_counts
from slmroute_plugin.analysis.tables.verdict_rows import OVER_ALL

_CHOSEN = ("slm", "method", "llm", "share", "agreed")
_ENVELOPE = (
    *("dataset", "n", "budget_usd", *_CHOSEN, "accuracy_chosen"),
    *("accuracy", "accuracy_low", "accuracy_high", "cost_usd"),
    *("single", "accuracy_single", "cost_single_usd", "gain", "gain_low", "gain_high"),
    *("gain_mixed", "gain_mixed_low", "gain_mixed_high"),
)
_SAVINGS = (
    *("dataset", "n", "model", "is_best", "accuracy_model", "cost_model_usd", *_CHOSEN),
    *("accuracy", "cost_usd", "difference", "difference_low", "difference_high"),
    *("saving", "saving_low", "saving_high", "single", "saving_single"),
)


class EnvelopeTables(NamedTuple):
    """The tables of the same names; `Tables` describes the columns."""

    envelope: pd.DataFrame
    savings: pd.DataFrame


def envelope_tables(study: Study, options: MeasureOptions) -> EnvelopeTables:
    """Find the best systems on each data set, and over all data sets that have any."""
    at_budgets: list[tuple[object, ...]] = []
    savings: list[tuple[object, ...]] = []
    for dataset, on_datasets in _groups(study, options.seed):
        names = [task for task, _ in on_datasets]
        systems = [each for _, each in on_datasets]
        counts = [
            named_counts((name,), len(each.halves), options)
            for name, each in zip(names, systems, strict=True)
        ]
        best = envelope(systems, counts)
        if best is None:
            continue
        at_budgets += [(dataset, best.n, *_at_budget(each)) for each in best.at_budgets]
        savings += [(dataset, best.n, *_saving(each)) for each in best.savings]
    return EnvelopeTables(
        pd.DataFrame(at_budgets, columns=[*_ENVELOPE]), pd.DataFrame(savings, columns=[*_SAVINGS])
    )


def envelope_notes(study: Study, table: pd.DataFrame) -> list[str]:
    """Name the models that the envelope leaves out, as their costs are not known everywhere.

    Args:
        study: the runs.
        table: the table `envelope` of these.
    """
    known: dict[str, bool] = {}
    for setting in study.settings:
        for run in (setting.slm, *setting.llms.values()):
            is_known = not bool(np.isnan(run.cost_usd).any())
            known[run.model] = known.get(run.model, True) and is_known
    without = sorted(model for model, is_known in known.items() if not is_known)
    if not without or table.empty:
        return []
    return [
        f"The envelope of all models is without {', '.join(without)}, whose costs are not known on "
        "every data set: see --prices."
    ]


def _groups(study: Study, seed: int) -> Iterator[tuple[str, list[tuple[str, Systems]]]]:
    """Yield the systems of each data set that has any, and last those of all data sets."""
    by_task: dict[str, list[Setting]] = {}
    for setting in study.settings:
        by_task.setdefault(setting.slm.task, []).append(setting)
    everywhere: list[tuple[str, Systems]] = []
    for task, settings in sorted(by_task.items()):
        systems = systems_of(settings, seed)
        if systems is not None:
            everywhere.append((task, systems))
            yield task, everywhere[-1:]
    if everywhere:
        yield OVER_ALL, everywhere


def _chosen(choice: Choice) -> tuple[object, ...]:
    """Return the columns of `_CHOSEN`."""
    system = choice.system
    return (*system.models, system.share, choice.agreed)


def _at_budget(of: AtBudget) -> tuple[object, ...]:
    """Return the columns of `envelope` after `n`."""
    best, single = of.best.held_out, of.single.held_out
    return (
        of.budget,
        *_chosen(of.best),
        of.best.accuracy_chosen,
        best.accuracy,
        *Interval.of(best.accuracies),
        best.cost,
        _name(of.single.system),
        single.accuracy,
        single.cost,
        *_flat(best.better_than(single)),
        *_flat(best.better_than(of.mixed)),
    )


def _saving(of: Saving) -> tuple[object, ...]:
    """Return the columns of `savings` after `n`."""
    cheapest = of.cheapest.held_out
    return (
        _name(of.model),
        of.is_best,
        of.alone.accuracy,
        of.alone.cost,
        *_chosen(of.cheapest),
        cheapest.accuracy,
        cheapest.cost,
        *_flat(cheapest.better_than(of.alone)),
        *_flat(cheapest.cheaper_than(of.alone)),
        _name(of.single.system),
        of.single.held_out.cheaper_than(of.alone)[0],
    )


def _flat(measured: tuple[float, Interval]) -> tuple[Any, ...]:
    value, interval = measured
    return value, interval.low, interval.high


def _name(alone: System) -> str:
    """Return the name of a model alone."""
    return alone.slm or alone.llm
