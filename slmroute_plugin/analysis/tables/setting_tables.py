"""All figures of one SLM on one data set: rows for the tables of a report."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.alignment import alignment
from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Areas,
    Routable,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.curve_summary import summary
from slmroute_plugin.analysis.measures.distributions import BINS
from slmroute_plugin.analysis.measures.routing_curves import (
    Ranking,
    curve_of,
    oracle_curve,
    random_curve,
    ranking,
)
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun
from slmroute_plugin.analysis.tables.tables import RATIOS

TOP_PERCENTS = range(100, 0, -5)

Unparsed = Literal["leave-out", "route"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HowToMeasure:
    """What the figures of a report depend on, besides the samples.

    Attributes:
        resamples: bootstrap resamples for intervals; 0 for none.
        seed: of the resamples.
        unparsed: whether answers without a confidence are left out, or routed first.
    """

    resamples: int = 1000
    seed: int = 0
    unparsed: Unparsed = "leave-out"


class SettingTables(NamedTuple):
    """Rows of the tables of the same names; see `Tables` for the columns."""

    alignment: pd.DataFrame
    routing: pd.DataFrame
    curves: pd.DataFrame
    histograms: pd.DataFrame
    relative_accuracy: pd.DataFrame


class Interval(NamedTuple):
    """Percentile bootstrap interval of 95%; NaN if there is none."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Interval:
        """Of the resamples in which the figure is defined."""
        defined = values[~np.isnan(values)]
        if not len(defined):
            return cls(float("nan"), float("nan"))
        return cls(*np.quantile(defined, [0.025, 0.975]).tolist())


def setting_tables(setting: Setting, how: HowToMeasure) -> SettingTables:
    """The rows of one SLM on one data set, for every method and LLM."""
    rows: dict[str, _Rows] = defaultdict(_Rows)
    counts = resampled_counts(len(setting.slm.doc_id), how.resamples, _random(setting.slm, how))
    for method, scores in setting.slm.scores.items():
        name = {"slm": setting.slm.model, "dataset": setting.slm.task, "method": method}
        kept = np.ones_like(scores.known) if how.unparsed == "route" else scores.known
        resampled = _resampled(scores, scores.known, setting.llms, counts)
        rows["alignment"].add(name, _alignment(scores, resampled.auroc))
        rows["histograms"].add(name, _histogram(scores.confidence[scores.known]))
        if not kept.any():
            continue
        if not scores.known.all() and how.unparsed == "route":
            resampled = _resampled(scores, kept, setting.llms, counts)
        ranked = ranking(scores.confidence[kept])
        for number, (llm, run) in enumerate(setting.llms.items()):
            routed = _Routed(scores, run, kept, ranked)
            column = Areas(
                resampled.area[:, number], resampled.slm, resampled.llms[:, number], resampled.auroc
            )
            named = {**name, "llm": llm}
            rows["routing"].add(named, routed.summary(column))
            rows["curves"].add(named, routed.points())
            rows["relative_accuracy"].add(named, routed.relative_accuracy())
    return SettingTables(*(rows[part].frame() for part in SettingTables._fields))


def without_rows() -> SettingTables:
    """Tables with their columns and no rows, as where there is no LLM to route to."""
    one = np.ones(1, dtype=np.int64)
    run = TaskRun("", "", one, np.zeros(1, "S1"), one > 0, np.zeros(1))
    slm = replace(run, scores={"": Scores(np.ones(1), one > 0)})
    example = setting_tables(Setting(slm, {"": run}), HowToMeasure(resamples=0))
    return SettingTables(*(frame.iloc[:0] for frame in example))


class _Rows:
    """Rows of a table, gathered by column: a frame for each few rows would cost more than they."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._sizes: list[int] = []

    def add(self, name: dict[str, str], columns: dict[str, Any]) -> None:
        """Add as many rows as its arrays are long; single values stand in each of them."""
        sizes = [len(each) for each in columns.values() if isinstance(each, np.ndarray)]
        self._sizes.append(sizes[0] if sizes else 1)
        for key, value in {**name, **columns}.items():
            self._columns[key].append(value)

    def frame(self) -> pd.DataFrame:
        """All rows."""
        return pd.DataFrame({key: self._whole(parts) for key, parts in self._columns.items()})

    def _whole(self, parts: list[Any]) -> NDArray[Any]:
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        kind = object if isinstance(parts[0], str) else None
        return np.repeat(np.asarray(parts, dtype=kind), self._sizes)


def _random(run: TaskRun, how: HowToMeasure) -> np.random.Generator:
    """Of the setting's own, so that it does not matter which others are measured beside it."""
    text = f"{how.seed}\n{run.model}\n{run.task}"
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def _resampled(
    scores: Scores,
    kept: NDArray[np.bool_],
    llms: Any,
    counts: Sequence[NDArray[np.float32]],
) -> Areas:
    right = np.stack([run.correct[kept] for run in llms.values()], axis=1) if llms else None
    routable = Routable(
        scores.confidence[kept],
        scores.correct[kept],
        np.empty((int(kept.sum()), 0), dtype=bool) if right is None else right,
    )
    if not counts or not kept.any():
        empty = np.empty(0)
        return Areas(np.empty((0, len(llms))), empty, np.empty((0, len(llms))), empty)
    if kept.all():
        return resampled_areas(routable, counts)
    return resampled_areas(routable, [block[kept] for block in counts])


def _alignment(scores: Scores, auroc: Floats) -> dict[str, Any]:
    confidence, correct = scores.confidence[scores.known], scores.correct[scores.known]
    found = alignment(confidence, correct)
    interval = Interval.of(auroc)
    return {
        "fitted_on": scores.fitted_on,
        "n": len(scores.known),
        "coverage": float(scores.known.mean()),
        "accuracy": float(scores.correct.mean()),
        "auroc": found.auroc,
        "auroc_low": interval.low,
        "auroc_high": interval.high,
        "auprc": found.auprc,
        "prr": found.prr,
        "ece": found.ece,
        "brier": found.brier,
    }


def _histogram(confidence: Floats) -> dict[str, Any]:
    count, edges = np.histogram(confidence, BINS, (0, 1))
    share = count / len(confidence) if len(confidence) else np.full(BINS, np.nan)
    return {"bin": np.arange(BINS), "low": edges[:-1], "high": edges[1:], "share": share}


class _Routed:
    """One method's answers, routed to one LLM."""

    def __init__(
        self, scores: Scores, llm: TaskRun, kept: NDArray[np.bool_], ranked: Ranking
    ) -> None:
        self._scores, self._rows, self._ranked = scores, len(kept), ranked
        self._slm, self._llm = scores.correct[kept], llm.correct[kept]
        self._cost = llm.cost_usd[kept]
        self._curve = curve_of(ranked, self._slm, self._llm, self._cost)

    def summary(self, resampled: Areas) -> dict[str, Any]:
        found = summary(self._curve)
        gap = resampled.llms - resampled.slm
        with np.errstate(divide="ignore", invalid="ignore"):
            apgr = np.where(gap > 0, (resampled.area - resampled.slm) / gap, np.nan)
        area = Interval.of(resampled.area)
        recovered = Interval.of(apgr) if not np.isnan(found.apgr) else Interval.of(np.empty(0))
        tenths = np.linspace(0, 1, 11)
        return {
            "fitted_on": self._scores.fitted_on,
            "n": self._rows,
            "coverage": float(self._scores.known.mean()),
            "accuracy_slm": float(self._slm.mean()),
            "accuracy_llm": float(self._llm.mean()),
            "accuracy_oracle": float((self._slm | self._llm).mean()),
            "area": found.area,
            "area_low": area.low,
            "area_high": area.high,
            "apgr": found.apgr,
            "apgr_low": recovered.low,
            "apgr_high": recovered.high,
            **{name: getattr(found, name) for name in found._fields[2:]},
            "cost_llm_usd": float(self._cost.sum()),
            **{f"acc_at_{10 * i}": at for i, at in enumerate(self._curve.at(tenths).tolist())},
        }

    def points(self) -> dict[str, Any]:
        ratio = np.linspace(0, 1, RATIOS)
        return {
            "ratio": ratio,
            "threshold": self._curve.threshold_at(ratio),
            "accuracy": self._curve.at(ratio),
            "random": random_curve(self._slm, self._llm, ratio),
            "oracle": oracle_curve(self._slm, self._llm, ratio),
            "cost_usd": self._curve.cost_at(ratio),
        }

    def relative_accuracy(self) -> dict[str, Any]:
        """Of the surest; where the line goes through a tie, in expectation over its order."""
        n = len(self._slm)
        kept = np.asarray([max(1, round(percent * n / 100)) for percent in TOP_PERCENTS])
        corners = np.concatenate(([0], self._ranked.end))
        slm, llm = (
            (right[-1] - np.interp(n - kept, corners, right)) / kept
            for right in map(self._ranked.running, (self._slm, self._llm))
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(llm > 0, slm / llm, np.nan)
        return {
            "fitted_on": self._scores.fitted_on,
            "top_percent": np.asarray(TOP_PERCENTS),
            "n": kept,
            "accuracy_slm": slm,
            "accuracy_llm": llm,
            "ratio": ratio,
        }
