"""The network of the probes: its weights, its scaling, and its forward pass beside PyTorch's."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from probe_rows import QUICK, Weights, drawn, predictions

from slmroute_plugin import TrainingRows
from uq_plugins import TrainedProbe

STANDARDISED = dataclasses.replace(QUICK, standardise=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.fixture(scope="module")
def fitted() -> Weights:
    return QUICK.fit(drawn(80), seed=0)


def test_the_weights_are_those_of_a_four_layer_perceptron(fitted: Weights) -> None:
    assert {name: weight.shape for name, weight in fitted.items()} == {
        "weight1": (256, 24),
        "bias1": (256,),
        "weight2": (128, 256),
        "bias2": (128,),
        "weight3": (64, 128),
        "bias3": (64,),
        "weight4": (1, 64),
        "bias4": (1,),
    }
    assert {weight.dtype for weight in fitted.values()} == {np.dtype(np.float32)}


def test_standardising_adds_a_mean_and_a_scale_of_each_feature() -> None:
    weights = STANDARDISED.fit(drawn(40), seed=0)
    assert len(weights) == 10
    assert weights["mean"].shape == weights["scale"].shape == (24,)


def test_untrained_layers_are_spread_as_pytorchs_own() -> None:
    probe = TrainedProbe(epochs=1, learning_rate=1e-12, batch_size=1000, standardise=False)
    weights = probe.fit(drawn(40), seed=0)
    for number, inputs in enumerate((24, 256, 128, 64), start=1):
        bound = 1 / math.sqrt(inputs)
        for values in (weights[f"weight{number}"], weights[f"bias{number}"]):
            assert np.abs(values).max() <= bound * (1 + 1e-6)
    # Uniform on [-b, b]: mean 0 and standard deviation b / √3, here of 32,768 numbers.
    assert weights["weight2"].mean() == pytest.approx(0, abs=0.002)
    assert weights["weight2"].std() == pytest.approx(1 / 16 / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("standardise", [True, False])
def test_predictions_equal_pytorchs_forward_pass(standardise: bool) -> None:
    rows = drawn(80)
    probe = TrainedProbe(epochs=3, batch_size=16, standardise=standardise)
    weights = probe.fit(rows, seed=1)
    layers: list[torch.nn.Module] = []
    for number in (1, 2, 3, 4):
        weight = torch.from_numpy(weights[f"weight{number}"])
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = weight, torch.from_numpy(weights[f"bias{number}"])
        layers += [linear, torch.nn.LeakyReLU()]
    network = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid())
    features = rows.features()
    if standardise:
        features = (features - weights["mean"]) / weights["scale"]
    with torch.no_grad():
        expected = network(torch.from_numpy(features)).squeeze(1).numpy()
    np.testing.assert_allclose(predictions(probe, weights, rows), expected, rtol=0, atol=1e-6)


def test_below_zero_a_hundredth_passes() -> None:
    weights = {}
    for number, (outputs, inputs) in enumerate([(256, 1), (128, 256), (64, 128), (1, 64)], 1):
        weights[f"weight{number}"] = np.zeros((outputs, inputs), np.float32)
        weights[f"weight{number}"][0, 0] = 1
        weights[f"bias{number}"] = np.zeros(outputs, np.float32)
    # Three times times 0.01: the logit of -2e6 is -2, that of 2 is 2.
    assert TrainedProbe().predict(weights, np.float32([-2e6])) == pytest.approx(
        1 / (1 + math.exp(2)), rel=1e-5
    )
    assert TrainedProbe().predict(weights, np.float32([2])) == pytest.approx(
        1 / (1 + math.exp(-2)), rel=1e-6
    )


def test_the_features_are_standardised_with_their_own_mean_and_deviation() -> None:
    rng = np.random.default_rng(5)
    wide = rng.normal([0.0, 100.0, -3.0], [1.0, 20.0, 0.001], size=(3000, 3))
    pool = np.column_stack([wide, np.full(3000, 65504.0)]).astype(np.float16)
    rows = TrainingRows(pool, np.arange(500, 3000), np.float32(np.arange(2500) % 2))
    weights = TrainedProbe(epochs=1, batch_size=1000, standardise=True).fit(rows, seed=0)
    seen = pool[500:].astype(np.float64)
    np.testing.assert_allclose(weights["mean"], seen.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(weights["scale"][:3], seen.std(axis=0)[:3], rtol=1e-5)
    assert weights["scale"][3] == 1


def test_huge_activations_do_not_overflow() -> None:
    pool = np.zeros((64, 8), np.float16)
    pool[:, 0] = 65504
    pool[::2, 1] = -65504
    pool[1::2, 1] = 65504
    pool[5, 2] = 65504
    rows = TrainingRows(pool, np.arange(64), np.float32(np.arange(64) % 2))
    with np.errstate(all="raise"):
        weights = STANDARDISED.fit(rows, seed=0)
    assert all(np.isfinite(weight).all() for weight in weights.values())
    assert weights["scale"][0] == 1
    assert weights["scale"][1] == 65504


def test_confidences_near_zero_keep_their_order() -> None:
    weights = QUICK.fit(drawn(40), seed=0)
    names = [name for name in weights if name.startswith("weight")]
    flat = weights | {name: np.zeros_like(weights[name]) for name in names}
    confidences = [
        QUICK.predict(flat | {"bias4": np.float32([logit])}, np.zeros(24, np.float32))
        for logit in (-700, -90, -40, 0, 40)
    ]
    assert confidences == sorted(confidences)
    assert len(set(confidences)) == 5
    assert confidences[2] == pytest.approx(math.exp(-40), rel=1e-9)
    assert confidences[3] == 0.5


@settings(max_examples=60)
@given(feature=arrays(np.float32, 24, elements=FINITE))
def test_every_confidence_is_a_probability(fitted: Weights, feature: NDArray[np.float32]) -> None:
    confidence = QUICK.predict(fitted, feature)
    assert isinstance(confidence, float)
    assert 0 <= confidence <= 1
