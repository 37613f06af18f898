"""The linear probe on a learned mixture of layers."""

from __future__ import annotations

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from probe_rows import Weights, same
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from slmroute_plugin import PromptStates, TrainingRows
from slmroute_plugin.methods.protocol import TrainedMethod
from uq_plugins import ProbeDirichlet
from uq_plugins.probe_dirichlet import dirichlet_shares

LAYERS, WIDTH = 5, 16
QUICK = ProbeDirichlet(epochs=3, learning_rate=1e-2)


def drawn(count: int, layer: int = 2, seed: int = 0, noise: float = 0.3) -> TrainingRows:
    """Normal states of five layers, one of which alone tells whether the answer is right."""
    direction = np.random.default_rng(99).standard_normal(WIDTH)
    rng = np.random.default_rng(seed)
    pool = rng.standard_normal((count, LAYERS, WIDTH)).astype(np.float16)
    score = pool[:, layer] @ (direction / np.linalg.norm(direction))
    correct = score + noise * rng.standard_normal(count) > 0
    return TrainingRows(pool, np.arange(count), correct.astype(np.float32))


def auroc(probe: ProbeDirichlet, weights: Weights, rows: TrainingRows) -> float:
    confidence = [probe.predict(weights, feature) for feature in rows.features()]
    return float(roc_auc_score(rows.correct, confidence))


class Counted(TrainingRows):
    """Rows that count how many of them were read."""

    def features(self, at: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        features = super().features(at)
        object.__setattr__(self, "read", getattr(self, "read", 0) + len(features))
        return features


def epochs_run(probe: ProbeDirichlet, rows: TrainingRows) -> float:
    counted = Counted(rows.pool, rows.index, rows.correct)
    dataclasses.replace(probe, standardise=False).fit(counted, seed=0)
    return float(counted.read / len(rows))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def fitted() -> Weights:
    return QUICK.fit(drawn(100), seed=0)


def test_it_is_a_trained_method_that_runs_on_request() -> None:
    probe = ProbeDirichlet()
    assert isinstance(probe, TrainedMethod)
    assert (probe.name, probe.trains_on, probe.on_request) == ("probe_dirichlet", "in_domain", True)
    assert probe.asks == (PromptStates(),)
    assert probe.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("patience", 0),
        ("learning_rate", -1.0),
        ("learning_rate", math.nan),
    ],
)
def test_a_bad_option_is_refused_by_name_and_value(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{option}` must be .*, not {value}"):
        dataclasses.replace(ProbeDirichlet(), **{option: value})


def test_the_weights_are_a_mixture_a_direction_and_a_bias(fitted: Weights) -> None:
    assert {name: weight.shape for name, weight in fitted.items()} == {
        "mixture": (LAYERS,),
        "weight": (WIDTH,),
        "bias": (1,),
        "mean": (LAYERS, WIDTH),
        "scale": (LAYERS, WIDTH),
    }
    assert {weight.dtype for weight in fitted.values()} == {np.dtype(np.float32)}
    assert fitted["mixture"].sum() == pytest.approx(1, abs=1e-6)
    assert (fitted["mixture"] > 0).all()


def test_a_confidence_worked_out_by_hand() -> None:
    weights = {
        "mixture": np.float32([0.25, 0.75]),
        "weight": np.float32([1, -2]),
        "bias": np.float32([0.5]),
    }
    # Mixed: [0.25·4 + 0.75·0, 0.25·0 + 0.75·2] = [1, 1.5]; logit 1 - 3 + 0.5 = -1.5.
    feature = np.float32([[4, 0], [0, 2]])
    expected = 1 / (1 + math.exp(1.5))
    assert ProbeDirichlet().predict(weights, feature) == pytest.approx(expected, rel=1e-12)
    scaled = weights | {
        "mean": np.full((2, 2), 3, np.float32),
        "scale": np.float32([[2, 2], [5, 5]]),
    }
    grown = feature * scaled["scale"] + scaled["mean"]
    assert ProbeDirichlet().predict(scaled, grown) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("layer", [0, 3])
def test_the_layer_that_knows_gets_the_largest_share(layer: int) -> None:
    probe = ProbeDirichlet(epochs=100, learning_rate=1e-2)
    rows, unseen = drawn(600, layer, seed=1), drawn(1000, layer, seed=2)
    weights = probe.fit(rows, seed=0)
    assert weights["mixture"].argmax() == layer
    assert weights["mixture"][layer] > 0.5
    best = LogisticRegression().fit(rows.features()[:, layer], rows.correct)
    reachable = roc_auc_score(unseen.correct, best.decision_function(unseen.features()[:, layer]))
    assert auroc(probe, weights, unseen) == pytest.approx(reachable, abs=0.03)


def test_layers_of_very_different_sizes_have_the_same_say() -> None:
    sizes = np.float16(np.geomspace(0.01, 100, LAYERS)).reshape(-1, 1)
    probe = ProbeDirichlet(epochs=50, learning_rate=1e-2)
    for layer in (0, LAYERS - 1):
        rows = drawn(600, layer)
        weights = probe.fit(dataclasses.replace(rows, pool=rows.pool * sizes), seed=0)
        assert weights["mixture"].argmax() == layer


def test_a_fifth_of_the_rows_is_held_out_by_the_seed() -> None:
    # One feature per row, so that the means tell which rows were fitted on.
    pool = np.eye(50, dtype=np.float16).reshape(50, 1, 50)
    rows = TrainingRows(pool, np.arange(50), np.float32(np.arange(50) % 2))
    means = [QUICK.fit(rows, seed)["mean"][0] for seed in (0, 1)]
    for mean in means:
        np.testing.assert_allclose(mean[mean > 0], np.full(40, 1 / 40), rtol=1e-6)
    assert means[0].tolist() != means[1].tolist()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(fitted: Weights) -> None:
    assert same(fitted, QUICK.fit(drawn(100), seed=0))
    assert not same(fitted, QUICK.fit(drawn(100), seed=1))


def test_fits_in_threads_give_the_bits_of_fits_in_turn() -> None:
    rows, seeds = drawn(200), range(8)
    in_turn = [QUICK.fit(rows, seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda seed: QUICK.fit(rows, seed), seeds))
    assert all(same(one, other) for one, other in zip(in_turn, at_once, strict=True))


def test_no_global_generator_is_moved_or_read(fitted: Weights) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with torch.inference_mode():
        assert same(fitted, QUICK.fit(drawn(100), seed=0))
    assert torch.equal(before, torch.get_rng_state())


def test_training_stops_once_the_held_out_loss_no_longer_falls() -> None:
    # Labels by chance: whatever is learned beyond their share is wrong on the held-out rows.
    rows = drawn(200, noise=1e6)
    hasty = ProbeDirichlet(epochs=300, learning_rate=3e-2, patience=2)
    patient = dataclasses.replace(hasty, patience=20)
    assert epochs_run(hasty, rows) < epochs_run(patient, rows) < 100
    assert epochs_run(dataclasses.replace(hasty, epochs=1), rows) == 1


def test_the_weights_that_served_the_held_out_rows_best_are_kept() -> None:
    rows = drawn(200, noise=1e6)
    long = ProbeDirichlet(epochs=60, learning_rate=3e-2, patience=60)
    kept = long.fit(rows, seed=0)
    runs = [dataclasses.replace(long, epochs=n).fit(rows, seed=0) for n in range(1, 31)]
    best = min(n for n, weights in enumerate(runs, start=1) if same(weights, kept))
    assert 1 <= best < 30
    # From the best epoch on nothing changes; before it, something else was the best.
    assert all(same(weights, kept) for weights in runs[best - 1 :])
    assert not any(same(weights, kept) for weights in runs[: best - 1])


def test_two_rows_are_enough_to_fit() -> None:
    rows = TrainingRows(drawn(2).pool, np.arange(2), np.float32([0, 1]))
    weights = ProbeDirichlet().fit(rows, seed=0)
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_a_training_that_diverges_is_refused_with_the_learning_rate() -> None:
    with pytest.raises(ValueError, match=r"diverged .* 1e\+30: set a lower `learning_rate`"):
        ProbeDirichlet(learning_rate=1e30).fit(drawn(100), seed=0)


def shares(concentration: list[float], count: int) -> NDArray[np.float64]:
    total = torch.tensor([math.log(sum(concentration))])
    return dirichlet_shares(
        torch.tensor(concentration, dtype=torch.float64).log(),
        total,
        count,
        torch.Generator().manual_seed(0),
    ).numpy()


@pytest.mark.parametrize("concentration", [[0.05, 0.2, 0.02], [0.5, 3.0, 1.0], [40.0, 10.0, 2.0]])
def test_shares_follow_the_dirichlet_distribution(concentration: list[float]) -> None:
    found, expected = shares(concentration, 40_000), stats.dirichlet(concentration)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(), atol=0.01)
    np.testing.assert_allclose(found.var(axis=0), expected.var(), rtol=0.05)
    # Each share by itself is Beta(a, the rest).
    rest = sum(concentration) - concentration[0]
    one = stats.beta(concentration[0], rest)
    for quantile in (0.25, 0.5, 0.9):
        assert (found[:, 0] <= one.ppf(quantile)).mean() == pytest.approx(quantile, abs=0.01)


def test_shares_of_tiny_concentrations_are_all_or_nothing() -> None:
    found = shares([1e-6, 3e-6], 4000)
    assert np.isfinite(found).all()
    assert (np.abs(found - found.round()) < 1e-6).all()
    assert found[:, 1].mean() == pytest.approx(0.75, abs=0.03)


def test_the_gradient_through_the_shares_is_that_of_their_expectation() -> None:
    # E[Σ k·share_k] = Σ k·softmax(c)_k, and E[share_1²] = m(m·a + 1)/(a + 1) with a = exp(g).
    logits = torch.tensor([0.3, -0.4, 0.1], dtype=torch.float64, requires_grad=True)
    strength = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    ranks = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)

    def expectation() -> torch.Tensor:
        mean, total = logits.softmax(0), strength.exp()
        return (ranks * mean).sum() + (mean[1] * (mean[1] * total + 1) / (total + 1)).sum()

    expected = torch.autograd.grad(expectation(), (logits, strength))
    drawn_shares = dirichlet_shares(logits, strength, 200_000, torch.Generator().manual_seed(0))
    estimate = ((drawn_shares * ranks).sum(1) + drawn_shares[:, 1] ** 2).mean()
    found = torch.autograd.grad(estimate, (logits, strength))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.01)


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=60)
@given(feature=arrays(np.float32, (LAYERS, WIDTH), elements=FINITE))
def test_every_confidence_is_a_probability(fitted: Weights, feature: NDArray[np.float32]) -> None:
    confidence = QUICK.predict(fitted, feature)
    assert isinstance(confidence, float)
    assert 0 <= confidence <= 1
