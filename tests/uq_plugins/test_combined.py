"""`combined` against scikit-learn's own pipeline, and what missing confidences do to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from slmroute_plugin import Confidences, TrainingRows
from uq_plugins import Combined, CombinedOod

NAMES = ("a", "b", "c")


def logit(confidences: NDArray[np.float64]) -> Any:
    kept = np.clip(confidences, 1e-4, 1 - 1e-4)
    return np.log(kept / (1 - kept))


def made_rows(count: int = 200, missing: float = 0.2, seed: int = 0) -> TrainingRows:
    draw = np.random.default_rng(seed)
    pool = draw.random((count, len(NAMES))).astype(np.float32)
    correct = (pool[:, 0] + pool[:, 1] + draw.normal(0, 0.3, count) > 1).astype(np.float32)
    pool[draw.random(pool.shape) < missing] = np.nan
    return TrainingRows(pool, np.arange(count), correct, NAMES)


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("penalty", [1.0, 0.05])
def test_it_is_scikit_learns_pipeline(missing: float, penalty: float) -> None:
    rows = made_rows(missing=missing)
    pipeline = make_pipeline(
        FunctionTransformer(logit),
        SimpleImputer(add_indicator=True),
        StandardScaler(),
        LogisticRegression(C=1 / penalty, max_iter=1000),
    )
    features = rows.features().astype(np.float64)
    pipeline.fit(features, rows.correct)
    method = Combined(penalty=penalty)
    weights = method.fit(rows, 0)
    new = made_rows(50, missing, seed=1).features()
    if not missing:
        new[0] = np.nan  # missing for the first time
    ours = [method.predict(weights, row) for row in new]
    imputable = pipeline.set_params(simpleimputer__add_indicator=bool(missing))
    assert ours == pytest.approx(imputable.predict_proba(new.astype(np.float64))[:, 1], abs=1e-5)


def test_a_method_without_any_confidence_in_training_has_no_say() -> None:
    rows = made_rows()
    rows.pool[:, 2] = np.nan
    weights = Combined().fit(rows, 0)
    said = [Combined().predict(weights, np.array([0.3, 0.6, c], np.float32)) for c in (0.0, 1.0)]
    assert said[0] == said[1]


def test_more_of_a_confidence_that_goes_with_right_answers_is_more_confidence() -> None:
    weights = Combined().fit(made_rows(), 0)
    rising = [np.array([c, 0.5, 0.5], np.float32) for c in np.linspace(0, 1, 11)]
    assert np.all(np.diff([Combined().predict(weights, row) for row in rising]) > 0)


WEIGHTS = Combined().fit(made_rows(), 0)


@given(arrays(np.float32, 3, elements=st.one_of(st.floats(0, 1, width=32), st.just(np.nan))))
def test_every_row_gets_a_probability(feature: NDArray[np.float32]) -> None:
    assert 0 <= Combined().predict(WEIGHTS, feature) <= 1


def test_the_same_rows_give_the_same_weights() -> None:
    again = Combined().fit(made_rows(), 0)
    assert again.keys() == WEIGHTS.keys()
    assert all(again[name].tobytes() == WEIGHTS[name].tobytes() for name in again)


def test_options_name_the_methods_and_the_penalty() -> None:
    assert Combined().asks == (Confidences(),)
    assert CombinedOod(methods="p_true, perplexity").asks == (
        Confidences(("p_true", "perplexity")),
    )
    with pytest.raises(ValueError, match="`penalty` must be a number above 0, not 0"):
        Combined(penalty=0.0)
