"""Verdicts for each data set and over all of them: which rows and which answers count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun
from slmroute_plugin.analysis.study.work import RowWork
from slmroute_plugin.analysis.tables.setting_tables import MeasureOptions, Unparsed
from slmroute_plugin.analysis.tables.verdict_rows import OVER_ALL, verdict_table

N = 200
USUAL = MeasureOptions(resamples=200)


def setting(task: str, draw: np.random.Generator, known: int = N) -> Setting:
    """An SLM with confidences worth nothing, of which the first are known, and an LLM."""
    keys = np.array([f"{task} {row}" for row in range(N)], "S20")
    slm_right, llm_right = draw.random(N) < 0.4, draw.random(N) < 0.7
    confidence = draw.random(N)
    confidence[known:] = np.nan
    work = RowWork(np.zeros(N), np.zeros(N), np.zeros(N), np.zeros(N))
    scores = Scores(confidence, slm_right, work=work, cost_usd=np.zeros(N))
    plain = TaskRun("large", task, np.arange(N), keys, llm_right, np.full(N, 1.0))
    small = replace(
        plain, model="small", correct=slm_right, cost_usd=np.full(N, 0.1), scores={"m": scores}
    )
    return Setting(small, {"large": plain})


def over_all(settings: list[Setting], options: MeasureOptions = USUAL) -> pd.Series:
    table = verdict_table(settings, options)
    return table[table["dataset"] == OVER_ALL].iloc[0]


def test_a_handful_of_confidences_does_not_weigh_as_much_as_a_data_set() -> None:
    draw = np.random.default_rng(0)
    whole = [setting(task, draw) for task in ("a", "b")]
    few = setting("c", draw, known=2)
    with_few, without = over_all([*whole, few]), over_all(whole)
    pd.testing.assert_series_equal(with_few, without, check_names=False)
    assert with_few["n"] == 2 * N
    assert np.isfinite(with_few[["gain_low", "gain_high"]].astype(float)).all()


@pytest.mark.parametrize("unparsed", ["leave-out", "route"])
def test_where_no_data_set_has_enough_there_are_too_few_questions(unparsed: Unparsed) -> None:
    draw = np.random.default_rng(0)
    few = [setting(str(task), draw, known=5) for task in range(12)]
    found = over_all(few, MeasureOptions(resamples=200, unparsed=unparsed))
    assert (found["verdict"], found["reason"]) == ("CANNOT BE TOLD", "there are too few questions")


def test_costs_are_named_as_the_reason_where_they_are() -> None:
    one = setting("a", np.random.default_rng(0), known=60)
    dear = replace(one, slm=replace(one.slm, cost_usd=np.full(N, 0.75)))
    assert over_all([dear])["reason"].startswith("at shares that can be told it costs more")


def test_what_is_kept_is_the_models_own_answer() -> None:
    one = setting("a", np.random.default_rng(0))
    worse = replace(one.slm.scores["m"], correct=np.zeros(N, bool))
    found = over_all([replace(one, slm=replace(one.slm, scores={"m": worse}))])
    assert found["accuracy_slm"] == pytest.approx(one.slm.correct.mean())
    assert found["gain"] == over_all([one])["gain"]


def test_ties_are_named_as_the_reason() -> None:
    one = setting("a", np.random.default_rng(0))
    tied = replace(one.slm.scores["m"], confidence=np.full(N, 0.8))
    found = over_all([replace(one, slm=replace(one.slm, scores={"m": tied}))])
    assert found["reason"] == "too many answers have the same confidence"
