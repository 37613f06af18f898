"""The probes on one hidden state: trained on the data set itself, and on all others."""

from __future__ import annotations

import dataclasses
import math
import random
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from slmroute_plugin import HiddenState, TrainingRows
from slmroute_plugin.hookspecs import TrainedMethod
from uq_plugins import OodProbe, TrainedProbe

PROBES = [TrainedProbe(), OodProbe()]
QUICK = TrainedProbe(epochs=2, batch_size=16)
STANDARDISED = dataclasses.replace(QUICK, standardise=True)
Weights = Mapping[str, NDArray[np.float32]]


def drawn(count: int, width: int = 24, seed: int = 0, shift: float = 0.0) -> TrainingRows:
    """Normal features; the answer is right where a fixed direction, plus noise, exceeds shift."""
    direction = np.random.default_rng(99).standard_normal(width)
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal((count, width)).astype(np.float16)
    score = pool @ (direction / np.linalg.norm(direction)) + 0.3 * rng.standard_normal(count)
    return TrainingRows(pool, np.arange(count), (score > shift).astype(np.float32))


def predictions(probe: TrainedProbe, weights: Weights, rows: TrainingRows) -> list[float]:
    return [probe.predict(weights, feature) for feature in rows.features()]


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


@pytest.fixture(scope="module")
def fitted() -> Weights:
    return QUICK.fit(drawn(80), seed=0)


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


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(probe: TrainedProbe) -> None:
    probe, rows = dataclasses.replace(probe, epochs=2), drawn(100)
    first = probe.fit(rows, seed=3)
    assert same(first, probe.fit(rows, seed=3))
    assert not same(first, probe.fit(rows, seed=4))


def test_each_epoch_reads_every_row_once_in_an_order_of_its_own() -> None:
    read: list[NDArray[np.int64]] = []

    class Watched(TrainingRows):
        def features(self, at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
            read.append(np.arange(50)[at])
            return super().features(at)

    rows = drawn(50)
    probe = TrainedProbe(epochs=2, batch_size=16, standardise=False)
    probe.fit(Watched(rows.pool, rows.index, rows.correct), seed=0)
    assert [len(at) for at in read] == [16, 16, 16, 2] * 2
    first, second = np.concatenate(read[:4]), np.concatenate(read[4:])
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(50))


def test_fits_in_threads_give_the_bits_of_fits_in_turn() -> None:
    rows, seeds = drawn(200, width=64), range(8)
    in_turn = [QUICK.fit(rows, seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda seed: QUICK.fit(rows, seed), seeds))
    assert all(same(one, other) for one, other in zip(in_turn, at_once, strict=True))


def test_no_global_generator_is_moved_or_read() -> None:
    rows = drawn(40)
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index, union-attr]
    first = QUICK.fit(rows, seed=0)
    after = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index, union-attr]
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    torch.manual_seed(2)
    np.random.seed(2)
    random.seed(2)
    assert same(first, QUICK.fit(rows, seed=0))


@contextmanager
def default_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, default_float64])
def test_what_the_caller_has_set_in_pytorch_makes_no_difference(around: Any) -> None:
    rows = drawn(40)
    expected = QUICK.fit(rows, seed=0)
    with around():
        assert same(expected, QUICK.fit(rows, seed=0))


def test_every_row_counts_also_in_a_smaller_last_batch() -> None:
    rows = drawn(11)
    probe = TrainedProbe(epochs=1, batch_size=4, standardise=False)
    weights = probe.fit(rows, seed=0)
    for row in range(11):
        correct = rows.correct.copy()
        correct[row] = 1 - correct[row]
        assert not same(weights, probe.fit(TrainingRows(rows.pool, rows.index, correct), seed=0))


def test_only_the_rows_of_the_index_are_learned_from() -> None:
    rows = drawn(60)
    index = np.arange(10, 50)
    part = TrainingRows(rows.pool, index, rows.correct[index])
    alone = TrainingRows(rows.pool[index], np.arange(40), rows.correct[index])
    assert same(QUICK.fit(part, seed=0), QUICK.fit(alone, seed=0))


def test_the_features_are_read_in_pieces_and_left_as_they_are() -> None:
    rows = drawn(500, width=4096)
    largest = 0

    class Watched(TrainingRows):
        def features(self, at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
            nonlocal largest
            features = super().features(at)
            largest = max(largest, len(features))
            return features

    before = rows.pool.copy()
    TrainedProbe(epochs=1).fit(Watched(rows.pool, rows.index, rows.correct), seed=0)
    assert 0 < largest <= 256
    assert (rows.pool == before).all()


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


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=60)
@given(feature=arrays(np.float32, 24, elements=FINITE))
def test_every_confidence_is_a_probability(fitted: Weights, feature: NDArray[np.float32]) -> None:
    confidence = QUICK.predict(fitted, feature)
    assert isinstance(confidence, float)
    assert 0 <= confidence <= 1
