"""All figures of one SLM on one data set: what is undefined, left out, routed, and drawn by lot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions, setting_tables

LEFT_OUT = MeasureOptions(resamples=50)
ROUTED = replace(LEFT_OUT, unparsed="route")


def setting(n: int = 60, unknown: int = 0, task: str = "a", right: bool | None = None) -> Setting:
    rng = np.random.default_rng(n)
    slm, llm = rng.random(n) < 0.5, rng.random(n) < 0.8
    if right is not None:
        slm = np.full(n, right)
    confidence = np.round(0.5 * slm + 0.5 * rng.random(n), 1)
    confidence[:unknown] = np.nan

    def run(model: str, correct: np.ndarray, scores: dict[str, Scores]) -> TaskRun:
        doc_id, doc_hash = np.arange(n), np.zeros(n, "S1")
        return TaskRun(model, task, doc_id, doc_hash, correct, np.full(n, 0.01), scores)

    return Setting(
        run("small", slm, {"m": Scores(confidence, slm)}), {"large": run("large", llm, {})}
    )


def test_intervals_hold_the_figures_and_come_again_with_the_seed() -> None:
    tables = setting_tables(setting(), LEFT_OUT)
    row = tables.routing.iloc[0]
    assert row["area_low"] < row["area"] < row["area_high"]
    assert row["apgr_low"] < row["apgr"] < row["apgr_high"]
    again = setting_tables(setting(), LEFT_OUT)
    other = setting_tables(setting(), replace(LEFT_OUT, seed=1))
    assert again.routing.equals(tables.routing)
    assert other.routing["area"].equals(tables.routing["area"])
    assert not other.routing["area_low"].equals(tables.routing["area_low"])


def test_each_setting_has_resamples_of_its_own() -> None:
    one, two = (setting_tables(setting(task=task), LEFT_OUT).routing for task in "ab")
    assert one["area"][0] == two["area"][0]
    assert one["area_low"][0] != two["area_low"][0]


def test_without_resamples_there_are_no_intervals() -> None:
    tables = setting_tables(setting(), MeasureOptions(resamples=0))
    assert tables.routing[["area_low", "area_high", "apgr_low", "apgr_high"]].isna().all(axis=None)
    assert tables.alignment[["auroc_low", "auroc_high"]].isna().all(axis=None)
    assert tables.routing["area"].notna().all()


def test_unknown_confidences_are_left_out_or_routed_first() -> None:
    some = setting(unknown=15)
    left_out, routed = (setting_tables(some, how) for how in (LEFT_OUT, ROUTED))
    assert left_out.routing["coverage"][0] == routed.routing["coverage"][0] == 0.75
    llm, slm = some.llms["large"].correct, some.slm.correct
    assert left_out.routing["accuracy_slm"][0] == slm[15:].mean()
    assert routed.routing["accuracy_slm"][0] == slm.mean()
    at_a_quarter = routed.curves.set_index("ratio")["accuracy"][0.25]
    assert at_a_quarter == pytest.approx(np.append(llm[:15], slm[15:]).mean())
    # Confidence and correctness are compared where both are known, whatever is routed.
    assert left_out.alignment.equals(routed.alignment)


@pytest.mark.parametrize("right", [True, False])
def test_one_class_leaves_the_ranking_undefined(right: bool) -> None:
    found = setting_tables(setting(right=right), LEFT_OUT).alignment.iloc[0]
    assert found[["auroc", "auroc_low", "auroc_high", "auprc", "prr"]].isna().all()
    assert found["accuracy"] == float(right)
    assert not np.isnan(found["brier"])


@pytest.mark.parametrize("how", [LEFT_OUT, ROUTED])
def test_no_confidence_at_all_and_a_single_row_go_through(how: MeasureOptions) -> None:
    silent = setting_tables(setting(unknown=60), how)
    assert silent.alignment["coverage"].tolist() == [0.0]
    assert silent.alignment["ece"].isna().all()
    assert len(silent.routing) == (how.unparsed == "route")
    single = setting_tables(setting(n=1), how)
    assert single.alignment["auroc"].isna().all()
    assert len(single.curves) == 101


def test_a_confidence_on_an_edge_is_in_the_bin_that_it_begins() -> None:
    stated = np.arange(20) / 20
    one = setting(20)
    scores = {"m": Scores(stated, one.slm.correct)}
    tables = setting_tables(replace(one, slm=replace(one.slm, scores=scores)), LEFT_OUT)
    assert tables.histograms["share"].tolist() == [1 / 20] * 20
    assert tables.histograms["low"].tolist() == stated.tolist()


def test_without_an_llm_there_is_alignment_alone() -> None:
    alone = setting_tables(Setting(setting().slm, {}), LEFT_OUT)
    assert len(alone.alignment) == 1
    assert alone.alignment["auroc_low"].notna().all()
    assert not len(alone.routing)


def test_relative_accuracy_is_of_the_surest_ties_in_expectation() -> None:
    right, other = np.array([1, 0, 1, 0], bool), np.array([1, 1, 0, 1], bool)
    scores = Scores(np.array([0.9, 0.5, 0.5, 0.1]), right, "cross-fitted")
    rows = (np.arange(4), np.zeros(4, "S1"))
    run = TaskRun("small", "a", *rows, right, np.full(4, np.nan), {"m": scores})
    llm = TaskRun("large", "a", *rows, other, np.full(4, np.nan))
    found = setting_tables(Setting(run, {"large": llm}), MeasureOptions(0)).relative_accuracy
    assert set(found["fitted_on"]) == {"cross-fitted"}
    found = found.set_index("top_percent")
    # The surest, and one of the two at 0.5, of which either model has one right.
    assert found.loc[50, ["n", "accuracy_slm", "accuracy_llm"]].tolist() == [2, 0.75, 0.75]
    assert found.loc[25, ["n", "accuracy_slm", "ratio"]].tolist() == [1, 1.0, 1.0]
    assert found.loc[100, "ratio"] == pytest.approx(0.5 / 0.75)
