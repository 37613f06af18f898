"""Which rows a map is fitted on, and that they are never those that it maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from slmroute_plugin.analysis.measures.calibration import calibration
from slmroute_plugin.analysis.measures.mapped import (
    MOST_ROWS,
    halves_of,
    mapped_at_home,
    mapped_from_elsewhere,
    other_rows,
    training_data,
)
from slmroute_plugin.analysis.measures.probability_map import fitted_map
from slmroute_plugin.analysis.study.runs import Scores, Setting, TaskRun


def made_run(task: str, n: int, seed: int = 0, curve: float = 2.0, missing: float = 0.0) -> TaskRun:
    """Answers that are right with a probability of confidence ** curve."""
    draw = np.random.default_rng(seed)
    confidence = draw.random(n)
    correct = draw.random(n) < confidence**curve
    confidence[draw.random(n) < missing] = np.nan
    ids = np.arange(n, dtype=np.int64)
    hashes = np.asarray([f"{task} {i}" for i in ids], dtype="S40")
    scores = {"m": Scores(confidence, correct)}
    return TaskRun("small", task, ids, hashes, correct, np.full(n, np.nan), scores)


def with_scores(
    run: TaskRun, confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> TaskRun:
    return replace(run, correct=correct, scores={"m": Scores(confidence, correct)})


def test_training_rows_are_learned_from_where_there_are_any() -> None:
    evaluation, training = made_run("a", 300, 1, missing=0.1), made_run("a train", 200, 2)
    setting = Setting(evaluation, {}, training)
    mapped = mapped_at_home(setting, "m", halves_of(evaluation, 0), 0)
    learned = training.scores["m"]
    expected = fitted_map(learned.confidence, learned.correct)
    scores = evaluation.scores["m"]
    assert (mapped.map_from, mapped.kind, mapped.rows) == ("training rows", expected.kind, 200)
    np.testing.assert_array_equal(mapped.probability, expected(scores.confidence))
    assert (np.isnan(mapped.probability) == np.isnan(scores.confidence)).all()


def test_a_training_question_that_is_judged_is_not_learned_from() -> None:
    evaluation, training = made_run("a", 100), made_run("a train", 100, 1)
    hashes = training.doc_hash.copy()
    hashes[:30] = evaluation.doc_hash[:30]
    training = replace(training, doc_hash=hashes)
    data = training_data(Setting(evaluation, {}, training), "m")
    assert data is not None
    np.testing.assert_array_equal(data.confidence, training.scores["m"].confidence[30:])
    # The same prompt under another row of the data set is the same question too.
    prompts = np.asarray([f"prompt {i}" for i in range(100)], dtype="S20")
    evaluation = replace(evaluation, prompt_hash=prompts)
    training = replace(training, prompt_hash=np.roll(prompts, 10).astype("S20"))
    training = replace(training, doc_hash=made_run("other", 100).doc_hash)
    data = training_data(Setting(evaluation, {}, training), "m")
    assert data is not None and not len(data.correct)


def test_labels_of_the_judged_rows_move_no_map_of_training_rows() -> None:
    evaluation, training = made_run("a", 300, 1), made_run("a train", 200, 2)
    halves = halves_of(evaluation, 0)
    scores = evaluation.scores["m"]
    flipped = with_scores(evaluation, scores.confidence, ~scores.correct)
    one, other = (
        mapped_at_home(Setting(run, {}, training), "m", halves, 0) for run in (evaluation, flipped)
    )
    np.testing.assert_array_equal(one.probability, other.probability)


def test_labels_of_a_half_move_its_own_probabilities_not() -> None:
    run = made_run("a", 400, 1)
    halves = halves_of(run, 0)
    scores = run.scores["m"]
    before = mapped_at_home(Setting(run, {}), "m", halves, 0)
    assert before.map_from == "cross-fitted"
    for half in (0, 1):
        there = halves == half
        changed = np.where(there, ~scores.correct, scores.correct)
        after = mapped_at_home(
            Setting(with_scores(run, scores.confidence, changed), {}), "m", halves, 0
        )
        np.testing.assert_array_equal(after.probability[there], before.probability[there])
        assert (after.probability[~there] != before.probability[~there]).any()


def test_a_feature_that_is_the_label_on_training_rows_alone_gains_nothing() -> None:
    evaluation, training = made_run("a", 2000, 1), made_run("a train", 500, 2)
    draw = np.random.default_rng(3)
    planted = with_scores(training, training.correct.astype(float), training.correct)
    noise = with_scores(evaluation, draw.random(2000), draw.random(2000) < 0.5)
    mapped = mapped_at_home(Setting(noise, {}, planted), "m", halves_of(noise, 0), 0)
    # The map believes the training rows, and is no better than chance on what is judged.
    errors = calibration(mapped.probability, noise.correct)
    assert errors.brier >= 0.25 - 0.02
    assert errors.log_loss >= np.log(2) - 0.02


def test_rows_with_the_same_question_are_in_one_half() -> None:
    run = made_run("a", 200)
    run = replace(run, doc_hash=np.asarray([f"q{i // 4}" for i in range(200)], dtype="S8"))
    halves = halves_of(run, 0)
    assert all(len(set(halves[start : start + 4])) == 1 for start in range(0, 200, 4))
    assert abs(halves.mean() - 0.5) < 0.1
    assert (halves_of(run, 1) != halves).any()


def test_too_few_of_a_kind_give_no_map() -> None:
    run = made_run("a", 400, 1)
    few = with_scores(run, run.scores["m"].confidence, np.arange(400) < 6)
    mapped = mapped_at_home(Setting(few, {}), "m", halves_of(few, 0), 0)
    assert (mapped.kind, mapped.rows) == ("", 0)
    assert np.isnan(mapped.probability).all()


def test_a_map_from_elsewhere_never_sees_the_data_set() -> None:
    home = Setting(made_run("a", 300, 1), {}, made_run("a train", 200, 5))
    others = [Setting(made_run("b", 800, 2, 1.0), {}), Setting(made_run("c", 100, 3, 4.0), {})]
    mapped = mapped_from_elsewhere(home, other_rows(home.slm, others), "m", 0)
    assert mapped is not None
    assert mapped.map_from == "other data sets"
    assert mapped.rows == MOST_ROWS + 100
    scores = home.slm.scores["m"]
    flipped = with_scores(home.slm, scores.confidence, ~scores.correct)
    again = mapped_from_elsewhere(Setting(flipped, {}), other_rows(flipped, others), "m", 0)
    assert again is not None
    np.testing.assert_array_equal(again.probability, mapped.probability)


def test_a_question_that_is_judged_is_not_learned_from_elsewhere() -> None:
    home = Setting(made_run("a", 100, 1), {})
    other = made_run("b", 100, 2)
    hashes = other.doc_hash.copy()
    hashes[:40] = home.slm.doc_hash[:40]
    others = other_rows(home.slm, [Setting(replace(other, doc_hash=hashes), {})])
    mapped = mapped_from_elsewhere(home, others, "m", 0)
    assert mapped is not None and mapped.rows == 60


def test_elsewhere_training_rows_come_first_and_data_sets_count_the_same() -> None:
    home = Setting(made_run("a", 100, 1), {})
    trained = Setting(made_run("b", 300, 2, 1.0), {}, made_run("b train", 400, 3, 1.0))
    small = Setting(made_run("c", 100, 4, 4.0), {})
    mapped = mapped_from_elsewhere(home, other_rows(home.slm, [trained, small]), "m", 0)
    assert mapped is not None and mapped.rows == 500
    # Both curves count half, whatever their rows: c and c⁴.
    middle = mapped.probability[np.argmin(np.abs(home.slm.scores["m"].confidence - 0.6))]
    assert middle == pytest.approx((0.6 + 0.6**4) / 2, abs=0.12)
    assert mapped_from_elsewhere(home, [], "m", 0) is None
