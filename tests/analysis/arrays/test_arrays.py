"""The analysis as functions: held to other libraries and to values by hand, with bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from slmroute_plugin import analysis

ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=30,
)


@given(answers=ANSWERS)
def test_measures_are_those_of_scikit_learn(answers: list[tuple[float, bool, bool]]) -> None:
    sure, right, _ = (list(column) for column in zip(*answers, strict=True))
    row = analysis.alignment_table(
        pd.DataFrame({"p": sure, "ok": right}), correct="ok", confidences=["p"]
    ).loc["p"]
    assert row["brier"] == pytest.approx(brier_score_loss(right, sure, labels=[False, True]))
    assert (row["coverage"], row["n"]) == (1.0, len(answers))
    if len(set(right)) == 2:
        assert analysis.auroc(sure, right) == pytest.approx(roc_auc_score(right, sure))
        assert row["auroc"] == analysis.auroc(sure, right)
        assert row["auprc"] == pytest.approx(average_precision_score(right, sure))
    else:
        assert math.isnan(analysis.auroc(sure, right))


@given(answers=ANSWERS)
def test_a_routing_curve_goes_from_one_model_to_the_other(
    answers: list[tuple[float, bool, bool]],
) -> None:
    sure, slm, llm = (list(column) for column in zip(*answers, strict=True))
    curve = analysis.routing_curve(sure, slm, llm)
    assert curve["accuracy"].iloc[[0, -1]].tolist() == pytest.approx([np.mean(slm), np.mean(llm)])
    for ratio, accuracy, threshold in curve.itertuples(index=False):
        # At a corner, the answers below the threshold are routed, and no others.
        figures = analysis.apply_threshold(threshold, sure, slm, llm=llm)
        assert figures.ratio.value == pytest.approx(ratio)
        assert figures.accuracy is not None
        assert figures.accuracy.value == pytest.approx(accuracy)


@given(answers=ANSWERS)
def test_the_accuracy_of_kept_answers_is_that_above_each_confidence(
    answers: list[tuple[float, bool, bool]],
) -> None:
    sure, right, _ = (np.asarray(column) for column in zip(*answers, strict=True))
    for kept, accuracy, threshold in analysis.kept_accuracy_curve(sure, right).itertuples(
        index=False
    ):
        above = sure >= threshold
        assert kept == pytest.approx(above.mean())
        assert accuracy == pytest.approx(right[above].mean())


@given(answers=ANSWERS, least=st.sampled_from([0.25, 0.5, 1.0]))
def test_the_smallest_threshold_that_keeps_its_goal_is_found(
    answers: list[tuple[float, bool, bool]], least: float
) -> None:
    sure, right, _ = (np.asarray(column) for column in zip(*answers, strict=True))
    chosen = analysis.find_threshold(sure, right, kept_accuracy=least)
    attainable = [value for value in {0.0, *sure} if right[sure >= value].mean() >= least]
    if chosen.threshold is None:
        assert attainable == []
    else:
        assert right[sure >= chosen.threshold].mean() >= least
        assert chosen.threshold <= min(attainable)


def test_answers_without_a_confidence_are_left_out_or_routed_first() -> None:
    sure = [None, 0.9, float("nan"), 0.2]
    assert analysis.auroc(sure, [1, 1, 1, 0]) == 1.0
    curve = analysis.routing_curve(sure, slm=[0, 1, 0, 1], llm=[1, 1, 1, 1])
    assert curve["ratio"].tolist() == [0.0, 0.5, 0.75, 1.0]
    assert curve["accuracy"].tolist() == [0.5, 1.0, 1.0, 1.0]


def test_dollars_add_up_along_a_curve() -> None:
    curve = analysis.routing_curve([0.1, 0.5, 0.9], [0, 1, 1], [1, 1, 1], cost_usd=[1, 2, 4])
    assert curve["cost_usd"].tolist() == [0.0, 1.0, 3.0, 7.0]
    within = analysis.find_threshold(
        [0.1, 0.5, 0.9], [0, 1, 1], llm=[1, 1, 1], cost_usd=[1, 2, 4], budget_usd=3
    )
    assert within.figures is not None
    assert (within.threshold, within.figures.cost_usd) == (0.7, 3.0)


def test_a_summary_names_what_it_sums_up() -> None:
    summed_up = analysis.routing_summary([0.2, 0.7], [0, 1], [1, 1], cost_usd=[1, 1])
    # Accuracy ½ for $0, and 1 for $1 and $2: ¾ and 1 on average.
    assert (summed_up.aiq, summed_up.gain_over_random) == (0.875, 0.125)
    assert math.isnan(analysis.routing_summary([0.2, 0.7], [0, 1], [1, 1]).aiq)


def test_an_interval_holds_its_area_and_narrows_with_rows() -> None:
    draw = np.random.default_rng(0)

    def width(n: int) -> float:
        sure = draw.random(n)
        right = draw.random(n) < sure
        interval = analysis.auroc_interval(sure, right, resamples=200)
        assert interval.low < analysis.auroc(sure, right) < interval.high
        return interval.high - interval.low

    assert width(1000) < width(100) / 2
    assert all(math.isnan(end) for end in analysis.auroc_interval([None], [1]))


CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "array": lambda values: np.array([math.nan if v is None else v for v in values]),
    "series": pd.Series,
    "nullable series": lambda values: pd.Series(values, dtype="Float64"),
    "arrow series": lambda values: pd.Series(values, dtype="double[pyarrow]"),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=list(CONTAINERS))
def test_columns_may_be_of_any_kind(container: Callable[[list[Any]], Any]) -> None:
    sure, right = container([0.9, 0.4, None, 0.4]), container([1, 0, 1, 1])
    assert analysis.auroc(sure, right) == 0.75
    frame = {"sure": sure, "ok": right}
    assert analysis.auroc("sure", "ok", data=frame) == 0.75


def test_columns_of_a_frame_are_found_by_their_beginning() -> None:
    frame = pd.DataFrame(
        {"acc": [1.0, 0.0], "confidence/a": [0.9, 0.1], "confidence/b": [0.1, 0.9], "other": 7}
    )
    table = analysis.alignment_table(frame)
    assert table["auroc"].to_dict() == {"confidence/a": 1.0, "confidence/b": 0.0}
    with pytest.raises(ValueError, match="data has no column confidence/…: name them"):
        analysis.alignment_table(frame[["acc", "other"]])


def test_a_confidence_in_an_answer_of_its_own_is_held_to_that_answer() -> None:
    frame = pd.DataFrame(
        {
            "acc": [1, 0, 1, 0],
            "acc/own": [0.0, 1.0, 0.0, None],
            "confidence/own": [0.1, 0.9, 0.2, None],
            "confidence/p": [0.9, 0.1, 0.8, 0.2],
        }
    )
    table = analysis.alignment_table(frame)
    assert table["auroc"].to_dict() == {"confidence/own": 1.0, "confidence/p": 1.0}
    assert table["n"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (lambda: analysis.auroc([0.5, 1.5], [1, 0]), r"confidence\[1\] is 1.5: a confidence lies"),
        (lambda: analysis.auroc([-1], [1]), r"confidence\[0\] is -1"),
        (lambda: analysis.auroc([0.5, math.inf], [1, 0]), r"confidence\[1\] is inf"),
        (lambda: analysis.auroc([0.5], [0.5]), r"correct\[0\] is 0.5: it must be 0 or 1"),
        (lambda: analysis.auroc([0.5], [None]), r"correct\[0\] is nan"),
        (lambda: analysis.auroc([0.5, 0.5], [1]), "confidence has 2, correct has 1"),
        (lambda: analysis.auroc([], []), "there are no rows"),
        (lambda: analysis.auroc(["high"], [1]), "confidence holds values that are not numbers"),
        (lambda: analysis.auroc([[0.5]], [1]), "confidence has 2 dimensions"),
        (lambda: analysis.auroc("sure", [1]), "confidence is 'sure': give its frame as `data`"),
        (
            lambda: analysis.auroc("shure", [1], data={"sure": [0.5]}),
            "no column 'shure'. Did you mean 'sure'",
        ),
        (
            lambda: analysis.routing_curve([0.5], [1], [1], cost_usd=[-1]),
            r"cost_usd\[0\] is -1: dollars are at least 0",
        ),
        (lambda: analysis.find_threshold([0.5], [1]), "one of ratio, .* is needed, not 0 of them"),
        (lambda: analysis.find_threshold([0.5], [1], ratio=1, cpt=1), "not 2 of them"),
        (lambda: analysis.find_threshold([0.5], [1], ratio=2), "^ratio 2: a number from 0 to 1"),
        (lambda: analysis.find_threshold([0.5], [1], accuracy=1), "^accuracy needs the answers"),
        (
            lambda: analysis.find_threshold([0.5], [1], llm=[1], accuracy=1, guarantee=2),
            "^guarantee 2: a probability between 0 and 1",
        ),
    ],
)
def test_what_cannot_be_used_is_named(call: Callable[[], Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        call()


def test_saved_runs_come_as_one_frame() -> None:
    frame = analysis.read_runs(ROOT / "results")
    small = frame[(frame["model"] == "SmolLM2-135M-Instruct") & (frame["task"] == "demo_mmlu")]
    (path,) = (ROOT / "results" / "SmolLM2-135M-Instruct").glob("samples_slmroute_demo_mmlu_*")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["filter"] == "slm"]
    assert small["doc_id"].tolist() == [row["doc_id"] for row in rows]
    pairs = [(row["confidence/p_true"], row["acc"]) for row in rows]
    area = analysis.auroc([sure for sure, _ in pairs], [right for _, right in pairs])
    assert analysis.auroc("confidence/p_true", "acc", data=small) == area
    assert analysis.alignment_table(small).loc["confidence/p_true", "auroc"] == area
    own = [row for row in rows if row["confidence/verbalization_1s"] is not None]
    assert own
    brier = [(row["confidence/verbalization_1s"] - row["acc/verbalization_1s"]) ** 2 for row in own]
    found = analysis.alignment_table(small).loc["confidence/verbalization_1s"]
    assert (found["n"], found["brier"]) == (len(own), pytest.approx(np.mean(brier)))
    assert frame[frame["model"] == "Qwen2.5-Coder-1.5B-Instruct"]["confidence/p_true"].isna().all()


def test_a_folder_without_runs_is_an_empty_frame(tmp_path: Path) -> None:
    assert analysis.read_runs(tmp_path).empty
    with pytest.raises(FileNotFoundError):
        analysis.read_runs(tmp_path / "none")
