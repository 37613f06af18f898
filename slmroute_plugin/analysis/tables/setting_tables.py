"""The figures of one SLM on one data set: rows for the tables of a report."""

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
    Interval,
    Routable,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.curve_summary import summary
from slmroute_plugin.analysis.measures.distributions import BINS, EDGES
from slmroute_plugin.analysis.measures.mapped import halves_of, mapped_at_home
from slmroute_plugin.analysis.measures.routing_curves import (
    Ranking,
    oracle_curve,
    random_curve,
    ranking,
    routing_curve,
)
from slmroute_plugin.analysis.measures.routing_verdicts import LEAST_GAIN
from slmroute_plugin.analysis.measures.total_cost import Spent, cost_summary, median_latency
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun
from slmroute_plugin.analysis.tables.calibration_rows import Judged
from slmroute_plugin.analysis.tables.tables import RATIOS

TOP_PERCENTS = range(100, 0, -5)

Unparsed = Literal["leave-out", "route"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeasureOptions:
    """The options that the figures of a report depend on.

    Attributes:
        resamples: the number of bootstrap resamples for intervals; 0 for no intervals.
        seed: the seed of the resamples.
        unparsed: whether answers without a confidence are left out, or routed first.
        prices: the prices that a user states, as text.
        least_gain: the gain in accuracy below which a policy without a model's confidence counts
            as just as good.
    """

    resamples: int = 1000
    seed: int = 0
    unparsed: Unparsed = "leave-out"
    prices: str = ""
    least_gain: float = LEAST_GAIN


class SettingTables(NamedTuple):
    """The rows of the tables of the same names; `Tables` describes the columns."""

    alignment: pd.DataFrame
    routing: pd.DataFrame
    curves: pd.DataFrame
    histograms: pd.DataFrame
    relative_accuracy: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame


def setting_tables(setting: Setting, options: MeasureOptions) -> SettingTables:
    """Measure one SLM on one data set: make the rows of every method and LLM."""
    rows: dict[str, Rows] = defaultdict(Rows)
    counts = setting_counts(setting.slm, options)
    halves = halves_of(setting.slm, options.seed)
    for method, scores in setting.slm.scores.items():
        name = {"slm": setting.slm.model, "dataset": setting.slm.task, "method": method}
        kept = np.ones_like(scores.known) if options.unparsed == "route" else scores.known
        resampled = _resampled(scores, scores.known, setting.llms, counts)
        rows["alignment"].add(name, _alignment(scores, resampled.auroc))
        rows["histograms"].add(name, _histogram(scores.confidence[scores.known]))
        if scores.known.any():
            judged = Judged(scores, counts)
            mapped = mapped_at_home(setting, method, halves, options.seed)
            rows["calibration"].add(name, judged.calibration_row(mapped))
            for diagram in judged.diagrams(mapped, as_is=True):
                rows["reliability"].add(name, diagram)
        if not kept.any():
            continue
        if not scores.known.all() and options.unparsed == "route":
            resampled = _resampled(scores, kept, setting.llms, counts)
        ranked = ranking(scores.confidence[kept])
        for number, (llm, run) in enumerate(setting.llms.items()):
            routed = _Routed(setting.slm, scores, run, kept, ranked)
            column = Areas(
                resampled.area[:, number], resampled.slm, resampled.llms[:, number], resampled.auroc
            )
            named = {**name, "llm": llm}
            rows["routing"].add(named, routed.summary(column))
            rows["curves"].add(named, routed.points())
            rows["relative_accuracy"].add(named, routed.relative_accuracy())
    return SettingTables(*(rows[part].frame() for part in SettingTables._fields))


def without_rows() -> SettingTables:
    """Make tables with all their columns and no rows, as where there is no LLM to route to."""
    row = np.ones(1, dtype=np.int64)
    run = TaskRun("", "", row, np.zeros(1, "S1"), row > 0, np.zeros(1))
    slm = replace(run, scores={"": Scores(np.ones(1), row > 0)})
    example = setting_tables(Setting(slm, {"": run}), MeasureOptions(resamples=0))
    return SettingTables(*(frame.iloc[:0] for frame in example))


class Rows:
    """The rows of a table, gathered by column: a frame for every few rows would cost more."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._sizes: list[int] = []

    def add(self, name: dict[str, str], columns: dict[str, Any]) -> None:
        """Add as many rows as the arrays are long; single values stand in each of these rows."""
        sizes = [len(column) for column in columns.values() if isinstance(column, np.ndarray)]
        self._sizes.append(sizes[0] if sizes else 1)
        for key, value in {**name, **columns}.items():
            self._columns[key].append(value)

    def frame(self) -> pd.DataFrame:
        """Make a frame of all rows."""
        return pd.DataFrame({key: self._whole(parts) for key, parts in self._columns.items()})

    def _whole(self, parts: list[Any]) -> NDArray[Any]:
        """Join the parts of a column, repeating single values."""
        if isinstance(parts[0], np.ndarray):
            return np.concatenate(parts)
        kind = object if isinstance(parts[0], str) else None
        return np.repeat(np.asarray(parts, dtype=kind), self._sizes)


def setting_counts(run: TaskRun, options: MeasureOptions) -> list[NDArray[np.float32]]:
    """Draw a setting's resamples, the same whichever other settings are measured beside it.

    Returns:
        Blocks of [n, resamples]: how often each row is in each resample.
    """
    return named_counts((run.model, run.task), len(run.doc_id), options)


def named_counts(
    names: Sequence[str], n: int, options: MeasureOptions
) -> list[NDArray[np.float32]]:
    """Draw resamples of n rows by a seed that depends on names.

    Returns:
        Blocks of [n, resamples]: how often each row is in each resample.
    """
    text = "\n".join([str(options.seed), *names])
    draw = np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))
    return resampled_counts(n, options.resamples, draw)


def _resampled(
    scores: Scores,
    kept: NDArray[np.bool_],
    llms: Any,
    counts: Sequence[NDArray[np.float32]],
) -> Areas:
    """Compute the areas of all resamples on the rows that are kept; empty without resamples."""
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
    """Make the columns of `Tables.alignment` after the names."""
    confidence, correct = scores.confidence[scores.known], scores.correct[scores.known]
    figures = alignment(confidence, correct)
    interval = Interval.of(auroc)
    return {
        "fitted_on": scores.fitted_on,
        "n": len(scores.known),
        "coverage": float(scores.known.mean()),
        "accuracy": float(scores.correct.mean()),
        "auroc": figures.auroc,
        "auroc_low": interval.low,
        "auroc_high": interval.high,
        "auprc": figures.auprc,
        "prr": figures.prr,
        "ece": figures.ece,
        "brier": figures.brier,
    }


def _histogram(confidence: Floats) -> dict[str, Any]:
    """Make the columns of `Tables.histograms` after the names; shares without rows are NaN."""
    n = len(confidence)
    share = np.histogram(confidence, EDGES)[0] / n if n else np.full(BINS, np.nan)
    return {"bin": np.arange(BINS), "low": EDGES[:-1], "high": EDGES[1:], "share": share}


class _Routed:
    """The routing of one method's answers to one LLM."""

    def __init__(
        self,
        slm: TaskRun,
        scores: Scores,
        llm: TaskRun,
        kept: NDArray[np.bool_],
        ranked: Ranking,
    ) -> None:
        self._scores, self._rows, self._ranked = scores, len(kept), ranked
        self._slm, self._llm = scores.correct[kept], llm.correct[kept]
        self._dollars = Spent.dollars(slm, scores, llm).taken(kept)
        self._tokens = Spent.tokens(slm, scores, llm).taken(kept)
        self._seconds = Spent.seconds(slm, scores, llm).taken(kept)
        self._cost = self._dollars.llm
        self._curve = routing_curve(ranked, self._slm, self._llm, self._cost)
        # At each corner of the curve, what its routed questions add to the costs of the others.
        self._added = ranked.running(self._dollars.of_routing)

    def summary(self, resampled: Areas) -> dict[str, Any]:
        """Make the columns of `Tables.routing` after the names."""
        figures = summary(self._curve)
        gap = resampled.llms - resampled.slm
        with np.errstate(divide="ignore", invalid="ignore"):
            apgr = np.where(gap > 0, (resampled.area - resampled.slm) / gap, np.nan)
        area = Interval.of(resampled.area)
        recovered = Interval.of(apgr) if not np.isnan(figures.apgr) else Interval.of(np.empty(0))
        tenths = np.linspace(0, 1, 11)
        return {
            "fitted_on": self._scores.fitted_on,
            "n": self._rows,
            "coverage": float(self._scores.known.mean()),
            "accuracy_slm": float(self._slm.mean()),
            "accuracy_llm": float(self._llm.mean()),
            "accuracy_oracle": float((self._slm | self._llm).mean()),
            "area": figures.area,
            "area_low": area.low,
            "area_high": area.high,
            "apgr": figures.apgr,
            "apgr_low": recovered.low,
            "apgr_high": recovered.high,
            **{name: getattr(figures, name) for name in figures._fields[2:]},
            "cost_llm_usd": float(self._cost.sum()),
            "cost_slm_usd": float(self._dollars.slm.sum()),
            "cost_method_usd": float(self._dollars.method.sum()),
            "break_even": self._dollars.break_even,
            **cost_summary(self._curve, self._dollars, self._added)._asdict(),
            "tokens_slm": float(self._tokens.slm.sum()),
            "tokens_method": float(self._tokens.method.sum()),
            "tokens_llm": float(self._tokens.llm.sum()),
            "seconds_slm": float(self._seconds.slm.mean()),
            "seconds_method": float(self._seconds.method.mean()),
            "seconds_llm": float(self._seconds.llm.mean()),
            **{f"acc_at_{10 * i}": at for i, at in enumerate(self._curve.at(tenths).tolist())},
        }

    def points(self) -> dict[str, Any]:
        """Make the columns of `Tables.curves` after the names."""
        ratio = np.linspace(0, 1, RATIOS)
        return {
            "ratio": ratio,
            "threshold": self._curve.threshold_at(ratio),
            "accuracy": self._curve.at(ratio),
            "random": random_curve(self._slm, self._llm, ratio),
            "oracle": oracle_curve(self._slm, self._llm, ratio),
            "cost_usd": self._curve.cost_at(ratio),
            "total_cost_usd": self._dollars.of_slm
            + np.interp(ratio, self._curve.ratio, self._added),
            "tokens_slm": self._tokens.of_slm - self._at(ratio, self._tokens.spared),
            "tokens_llm": self._at(ratio, self._tokens.llm),
            "latency_mean_s": (self._seconds.of_slm + self._at(ratio, self._seconds.of_routing))
            / len(self._slm),
            "latency_median_s": median_latency(self._ranked, self._seconds, ratio),
        }

    def _at(self, ratio: Floats, values: Floats) -> Floats:
        """Sum what the routed questions take, at each ratio."""
        if np.isnan(values).any():
            return np.full(len(ratio), np.nan)
        return np.interp(ratio, self._curve.ratio, self._ranked.running(values))

    def relative_accuracy(self) -> dict[str, Any]:
        """Make the columns of `Tables.relative_accuracy` after the names.

        Where the line between the most confident answers and the others goes through a tie,
        accuracies are in expectation over the order of the tie.
        """
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
