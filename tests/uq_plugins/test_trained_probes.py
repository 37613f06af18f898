"""The probes on one hidden state: trained on the data set itself, and on all others."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
import pytest
from probe_rows import drawn, predictions
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from slmroute_plugin import HiddenState, TrainingRows
from slmroute_plugin.methods.protocol import TrainedMethod
from uq_plugins import OodProbe, TrainedProbe

PROBES = [TrainedProbe(), OodProbe()]


def test_each_is_a_trained_method_with_the_papers_numbers() -> None:
    trained, ood = PROBES
    assert isinstance(trained, TrainedMethod)
    assert isinstance(ood, TrainedMethod)
    assert (trained.name, trained.trains_on) == ("trained_probe", "in_domain")
    assert (ood.name, ood.trains_on) == ("ood_probe", "out_of_domain")
    assert (trained.learning_rate, ood.learning_rate) == (5e-4, 1e-4)
    assert [(p.epochs, p.batch_size) for p in PROBES] == [(20, 64)] * 2
    assert [p.asks for p in PROBES] == [(HiddenState(layer=-8),)] * 2


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
    ],
)
def test_a_bad_option_is_refused_by_name_and_value(
    probe: TrainedProbe, option: str, value: float
) -> None:
    with pytest.raises(ValueError, match=f"`{option}` must be .*, not {value}"):
        dataclasses.replace(probe, **{option: value})


def auroc(rows: TrainingRows, confidence: Any) -> float:
    return float(roc_auc_score(rows.correct, confidence))


def test_it_ranks_as_well_as_scikit_learn_does() -> None:
    rows, unseen = drawn(600, seed=1), drawn(1000, seed=2)
    for probe in PROBES:
        ours = auroc(unseen, predictions(probe, probe.fit(rows, seed=0), unseen))
        network = MLPClassifier(
            (256, 128, 64),
            activation="relu",
            solver="adam",
            alpha=0.0,
            learning_rate_init=probe.learning_rate,
            batch_size=probe.batch_size,
            max_iter=probe.epochs,
            n_iter_no_change=probe.epochs,
            early_stopping=False,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(rows.features(), rows.correct)
        theirs = auroc(unseen, network.predict_proba(unseen.features())[:, 1])
        linear = LogisticRegression().fit(rows.features(), rows.correct)
        straight = auroc(unseen, linear.predict_proba(unseen.features())[:, 1])
        assert straight > 0.95
        assert ours == pytest.approx(theirs, abs=0.03)
        assert ours == pytest.approx(straight, abs=0.03)


def test_features_of_very_different_sizes_are_learned_from_alike() -> None:
    rows, unseen = drawn(600, seed=1), drawn(1000, seed=2)
    sizes = np.float16(np.geomspace(1e-3, 1e3, 24))

    def sized(rows: TrainingRows) -> TrainingRows:
        return dataclasses.replace(rows, pool=rows.pool * sizes)

    probe = TrainedProbe(standardise=True)
    even = auroc(unseen, predictions(probe, probe.fit(rows, seed=0), unseen))
    weights = probe.fit(sized(rows), seed=0)
    assert auroc(unseen, predictions(probe, weights, sized(unseen))) == pytest.approx(
        even, abs=0.01
    )


def test_where_few_answers_are_right_they_are_told_apart_and_confidence_is_low() -> None:
    rows, unseen = drawn(1500, seed=1, shift=1.9), drawn(3000, seed=2, shift=1.9)
    assert 0.02 < rows.correct.mean() < 0.05
    probe = TrainedProbe()
    confidence = predictions(probe, probe.fit(rows, seed=0), unseen)
    assert auroc(unseen, confidence) > 0.85
    assert np.mean(confidence) == pytest.approx(unseen.correct.mean(), abs=0.03)


def test_two_rows_are_enough_to_fit() -> None:
    rows = TrainingRows(np.float16([[1, 0], [0, 1]]), np.arange(2), np.float32([1, 0]))
    probe = TrainedProbe(epochs=100)
    right, wrong = predictions(probe, probe.fit(rows, seed=0), rows)
    assert wrong < 0.1 < 0.9 < right


def test_a_training_that_diverges_is_refused_with_the_learning_rate() -> None:
    with pytest.raises(ValueError, match=r"diverged .* 1e\+30: set a lower `learning_rate`"):
        TrainedProbe(learning_rate=1e30).fit(drawn(100), seed=0)


def test_the_logistic_head_is_scikit_learns_on_standardised_features() -> None:
    rows, unseen = drawn(300, seed=1), drawn(400, seed=2)
    probe = TrainedProbe(head="logistic", penalty=3.0)
    ours = predictions(probe, probe.fit(rows, seed=0), unseen)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1 / 3, max_iter=1000))
    pipeline.fit(rows.features(), rows.correct)
    assert ours == pytest.approx(pipeline.predict_proba(unseen.features())[:, 1], abs=1e-4)
    # A method with another head reads the weights all the same.
    weights = probe.fit(rows, seed=0)
    assert predictions(TrainedProbe(), weights, unseen) == ours


def test_the_state_that_is_read_is_an_option() -> None:
    assert TrainedProbe().asks == (HiddenState(-8, "last_answer"),)
    chosen = OodProbe(layer=-16, position="mean_answer")
    assert chosen.asks == (HiddenState(-16, "mean_answer"),)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"position": "last"}, "`position` must be one of last_prompt, last_answer, mean_answer"),
        ({"head": "tree"}, "`head` must be one of mlp, logistic, not 'tree'"),
        ({"penalty": 0.0}, "`penalty` must be a number above 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainedProbe(**options)
