"""Whether a method that combines others beats the best single method, by paired bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from slmroute_plugin.analysis.measures.best_single import combined_table
from slmroute_plugin.analysis.measures.comparison import comparison_table
from slmroute_plugin.analysis.study.runs import Scores, Setting, Study, TaskRun
from slmroute_plugin.analysis.tables.verdicts import verdicts

NOISE = {"combined": 0.6, "weak": 2.5, "strong": 1.2}


def made_study(
    noise: Mapping[str, float] = NOISE, n: int = 300, tasks: str = "abc", llm: bool = True
) -> Study:
    """Answers, and methods that see how hard a question is through more or less noise."""
    settings = []
    for seed, task in enumerate(tasks):
        draw = np.random.default_rng(seed)
        ease = draw.normal(0, 1, n)
        correct = ease + draw.normal(0, 1, n) > 0
        ids = np.arange(n, dtype=np.int64)
        hashes = np.asarray([f"{task}{i}" for i in ids], dtype="S8")
        scores = {
            name: Scores(
                1 / (1 + np.exp(-(ease + of * draw.normal(0, 1, n)))),
                correct,
                "training split" if name == "combined" else "",
                "strong, weak" if name == "combined" else "",
            )
            for name, of in noise.items()
        }
        slm = TaskRun("small", task, ids, hashes, correct, np.full(n, np.nan), scores)
        strong = replace(slm, model="large", correct=draw.random(n) < 0.9, scores={})
        settings.append(Setting(slm, {"large": strong} if llm else {}))
    return Study(settings)


def measured(study: Study, resamples: int = 400) -> pd.DataFrame:
    return combined_table(study, comparison_table(study, resamples=resamples), resamples)


def with_scores(study: Study, method: str, change: NDArray[np.bool_] | None, value: float) -> Study:
    settings = []
    for setting in study.settings:
        scores = dict(setting.slm.scores)
        own = scores[method]
        scores[method] = replace(own, confidence=np.where(change, value, own.confidence))
        settings.append(replace(setting, slm=replace(setting.slm, scores=scores)))
    return Study(settings)


def test_a_better_combination_is_found_and_said() -> None:
    study = made_study()
    table = measured(study)
    assert table["measure"].tolist() == ["auroc", "area"]
    assert table["best_single"].tolist() == ["strong", "strong"]
    assert table["verdict"].tolist() == ["better", "better"]
    by_auroc = table.iloc[0]
    expected = {
        name: np.mean(
            [roc_auc_score(s.slm.correct, s.slm.scores[name].confidence) for s in study.settings]
        )
        for name in NOISE
    }
    assert by_auroc["value"] == pytest.approx(expected["combined"])
    assert by_auroc["best_value"] == pytest.approx(expected["strong"])
    assert by_auroc["difference"] == pytest.approx(expected["combined"] - expected["strong"])
    assert by_auroc["low"] <= by_auroc["difference"] <= by_auroc["high"]
    assert (by_auroc["datasets"], by_auroc["n"]) == (3, 900)
    (sentence,) = verdicts(table)
    assert sentence.startswith(
        "small: combined beats the best single method, strong, significantly, by AUROC ("
    )
    assert "beats the best single method, strong, significantly, by area under" in sentence


def test_no_better_combination_is_said_plainly() -> None:
    table = measured(made_study({"combined": 1.2, "weak": 2.5, "strong": 1.2}))
    assert set(table["verdict"]) == {"not significant"}
    (sentence,) = verdicts(table)
    assert sentence.count("does not beat the best single method, strong, significantly") == 2


def test_a_worse_combination_is_said_too() -> None:
    table = measured(made_study({"combined": 3.0, "weak": 4.0, "strong": 0.1}))
    assert set(table["verdict"]) == {"worse"}
    assert "is significantly worse than the best single method, strong" in verdicts(table)[0]


def test_the_area_is_that_of_the_comparison() -> None:
    study = made_study()
    comparison = comparison_table(study, resamples=400)
    row = measured(study).iloc[1]
    (pair,) = comparison[
        (comparison["method_a"] == "combined") & (comparison["method_b"] == "strong")
    ].itertuples()
    assert (row["difference"], row["p_holm"]) == (pair.difference, pair.p_holm)
    # The other way round, where the name of the single method comes first.
    names = {"zeta": 0.6, "weak": 2.5, "strong": 1.2}
    turned = made_study(names)
    settings = [
        replace(
            s,
            slm=replace(
                s.slm,
                scores={
                    name: replace(own, combines="strong, weak" if name == "zeta" else "")
                    for name, own in s.slm.scores.items()
                },
            ),
        )
        for s in turned.settings
    ]
    area = measured(Study(settings)).iloc[1]
    assert area["difference"] == pytest.approx(row["difference"])
    assert (area["low"], area["high"]) == pytest.approx((row["low"], row["high"]))


def test_holms_correction_is_over_all_pairs() -> None:
    row = measured(made_study({"combined": 1.0, "weak": 2.5, "strong": 1.2}), 1000).iloc[0]
    assert row["p_value"] <= row["p_holm"] <= 2 * row["p_value"] + 1e-12


def test_a_method_that_covers_little_is_no_rival() -> None:
    first = np.arange(300) >= 100
    study = with_scores(made_study(), "strong", first, np.nan)
    assert set(measured(study)["best_single"]) == {"weak"}


def test_pairs_are_held_to_the_answers_that_both_have() -> None:
    some = np.arange(300) < 100
    study = with_scores(made_study(), "strong", some, np.nan)
    row = measured(study).iloc[0]
    assert (row["best_single"], row["n"]) == ("strong", 600)


def test_without_an_llm_auroc_decides_alone_and_without_resamples_nothing_does() -> None:
    table = measured(made_study(llm=False))
    assert table["measure"].tolist() == ["auroc"]
    untested = measured(made_study(), resamples=0)
    assert set(untested["verdict"]) == {"not tested"}
    assert "was not tested" in verdicts(untested)[0]
    assert verdicts(measured(made_study({"weak": 1.0, "strong": 2.0}))) == []


def test_under_no_difference_few_verdicts_are_significant() -> None:
    found = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        correct = draw.random(120) < 0.5
        ids = np.arange(120, dtype=np.int64)
        hashes = np.asarray([f"{i}" for i in ids], dtype="S8")
        scores = {
            name: Scores(draw.random(120), correct, "", "a, b" if name == "combined" else "")
            for name in ("combined", "a", "b")
        }
        run = TaskRun("small", "a", ids, hashes, correct, np.full(120, np.nan), scores)
        table = combined_table(Study([Setting(run, {})]), pd.DataFrame({"slm": [], "llm": []}), 100)
        found += table["verdict"].tolist() != ["not significant"]
    assert found <= 7
