"""The baselines of routing by the question alone, against scikit-learn's own pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from slmroute_plugin import PromptStates, QuestionTerms, TrainingRows
from uq_plugins import (
    PromptKnn,
    PromptKnnOod,
    PromptLogistic,
    PromptLogisticOod,
    QuestionLength,
    QuestionLengthOod,
)

LAYERS, WIDTH = 5, 12
EASY, HARD = ("add", "two", "apples"), ("integrate", "the", "manifold", "over", "charts")


def questions(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Questions of easy and of hard words, and whether each is answered rightly."""
    draw = np.random.default_rng(seed)
    easy = draw.random(count) < 0.5
    texts = [
        " ".join(draw.choice(EASY if each else HARD, 4 if each else 9)) + f" {draw.integers(99)}?"
        for each in easy
    ]
    return texts, (draw.random(count) < np.where(easy, 0.9, 0.2)).astype(np.float32)


def of_words(count: int, seed: int = 0) -> TrainingRows:
    texts, correct = questions(count, seed)
    pool = np.stack([QuestionTerms().value_in(text) for text in texts]).astype(np.float16)
    return TrainingRows(pool, np.arange(count), correct)


def of_states(count: int, seed: int = 0) -> TrainingRows:
    """States of which layer -2 alone tells right from wrong."""
    draw = np.random.default_rng(seed)
    pool = draw.normal(3, 2, (count, LAYERS, WIDTH)).astype(np.float16)
    correct = (pool[:, -2, 0] + pool[:, -2, 1] > 6).astype(np.float32)
    return TrainingRows(pool, np.arange(count), correct)


def predicted(method: Any, rows: TrainingRows, new: TrainingRows) -> list[float]:
    weights = method.fit(rows, 0)
    assert all(values.dtype == np.float32 for values in weights.values())
    return [method.predict(weights, feature) for feature in new.features()]


def test_words_are_counted_without_regard_to_case() -> None:
    counts = QuestionTerms().value_in("Add 2 apples, and add 3 APPLES!")
    assert counts.shape == (4096,)
    assert sorted(counts[counts > 0]) == [1, 1, 1, 2, 2]
    assert not QuestionTerms().value_in("").any()


@pytest.mark.parametrize("features", ["text", "states"])
def test_neighbours_are_those_of_scikit_learn(features: str) -> None:
    made = of_words if features == "text" else of_states
    rows, new = made(120), made(40, seed=1)
    method = PromptKnn(features=features, layer=-2, k=7)
    values = [each.features() for each in (rows, new)]
    first: Any = TfidfTransformer() if features == "text" else StandardScaler()
    if features == "states":
        values = [each[:, -2] for each in values]
    neighbours = KNeighborsClassifier(n_neighbors=7, metric="cosine")
    pipeline = make_pipeline(first, Normalizer(), neighbours).fit(values[0], rows.correct)
    expected = pipeline.predict_proba(values[1])[:, 1]
    ours = np.asarray(predicted(method, rows, new))
    # Neighbours at the same distance may be taken in another order.
    agree = np.abs(ours - expected) < 1e-6
    assert agree.mean() > (0.5 if features == "text" else 0.95)
    assert roc_auc_score(new.correct, ours) == pytest.approx(
        roc_auc_score(new.correct, expected), abs=0.1
    )
    assert set(np.round(ours * 7, 4)) <= set(range(8))


@pytest.mark.parametrize("penalty", [1.0, 0.05])
@pytest.mark.parametrize("features", ["text", "states"])
def test_the_regression_is_that_of_scikit_learn(features: str, penalty: float) -> None:
    made = of_words if features == "text" else of_states
    rows, new = made(120), made(40, seed=1)
    method = PromptLogistic(features=features, layer=-2, penalty=penalty)
    values = [each.features() for each in (rows, new)]
    first: Any = TfidfTransformer() if features == "text" else StandardScaler()
    if features == "states":
        values = [each[:, -2] for each in values]
    regression = LogisticRegression(C=1 / penalty, max_iter=1000)
    pipeline = make_pipeline(first, Normalizer(), regression).fit(values[0], rows.correct)
    expected = pipeline.predict_proba(values[1])[:, 1]
    assert predicted(method, rows, new) == pytest.approx(expected, abs=1e-3)


def test_length_is_all_that_question_length_sees() -> None:
    rows, new = of_words(200), of_words(60, seed=1)
    lengths = [np.log1p(each.features().sum(axis=1, keepdims=True)) for each in (rows, new)]
    regression = LogisticRegression(max_iter=1000).fit(lengths[0], rows.correct)
    expected = regression.predict_proba(lengths[1])[:, 1]
    ours = predicted(QuestionLength(), rows, new)
    assert ours == pytest.approx(expected, abs=1e-4)
    # Here long questions are hard, and that was learned.
    assert ours[int(lengths[1].argmax())] < ours[int(lengths[1].argmin())]


def test_fewer_questions_than_neighbours_and_fewer_layers_than_asked_for() -> None:
    rows = of_states(25)
    weights = PromptKnn(k=40, layer=-30).fit(rows, 0)
    share = float(rows.correct.mean())
    assert PromptKnn(k=40, layer=-30).predict(weights, rows.features()[0]) == pytest.approx(share)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["text", "states"]))
def test_confidences_lie_in_range_and_fits_repeat(seed: int, features: str) -> None:
    rows = (of_words if features == "text" else of_states)(30, seed % 1000)
    if len(set(rows.correct.tolist())) < 2:
        return
    for method in (PromptKnn(features=features, k=3), PromptLogistic(features=features)):
        one, other = method.fit(rows, seed), method.fit(rows, seed)
        assert all(np.array_equal(one[name], other[name]) for name in one)
        nothing = np.zeros_like(rows.features()[0])
        for feature in (rows.features()[0], nothing):
            assert 0 <= method.predict(one, feature) <= 1


@pytest.mark.parametrize("kind", [PromptKnn, PromptLogistic])
def test_options_are_checked(kind: Any) -> None:
    with pytest.raises(ValueError, match="`features` must be one of states, text, not 'words'"):
        kind(features="words")
    assert kind().asks == (PromptStates(),)
    assert kind(features="text").asks == (QuestionTerms(),)
    with pytest.raises(ValueError, match="`k` must be 1 or more"):
        PromptKnn(k=0)
    with pytest.raises(ValueError, match="`penalty` must be a number above 0"):
        PromptLogistic(penalty=0.0)


def test_out_of_domain_they_are_the_same_methods() -> None:
    for kind, ood in (
        (PromptKnn, PromptKnnOod),
        (PromptLogistic, PromptLogisticOod),
        (QuestionLength, QuestionLengthOod),
    ):
        assert issubclass(ood, kind)
        assert (kind.trains_on, ood.trains_on) == ("in_domain", "out_of_domain")
        assert (kind.on_request, ood.on_request) == (True, True)
        assert ood.name == f"{kind.name}_ood"
