"""Areas of resamples: those of the rows repeated as often as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from slmroute_plugin.analysis.measures.bootstrap_areas import (
    Routable,
    areas,
    resampled_areas,
    resampled_counts,
)
from slmroute_plugin.analysis.measures.routing_curves import ranking, routing_curve


def drawn(n: int, seed: int, values: int = 6) -> Routable:
    rng = np.random.default_rng(seed)
    return Routable(
        rng.integers(values, size=n) / values, rng.random(n) < 0.5, rng.random((n, 3)) < 0.7
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 300), st.integers(0, 10**6), st.sampled_from([1, 2, 6, 200, 10**6]))
def test_a_resample_is_its_rows_repeated(n: int, seed: int, values: int) -> None:
    rows = drawn(n, seed, values)
    counts = resampled_counts(n, 5, np.random.default_rng(seed))
    found = resampled_areas(rows, counts)
    for number, count in enumerate(np.concatenate([block.T for block in counts]).astype(int)):
        again = np.repeat(np.arange(n), count)
        confidence, slm, llms = (column[again] for column in rows)
        for one in range(3):
            curve = routing_curve(ranking(confidence), slm, llms[:, one], np.zeros(len(again)))
            assert found.area[number, one] == pytest.approx(curve.mean(0, 1), abs=1e-12)
        assert found.slm[number] == pytest.approx(slm.mean(), abs=1e-12)
        np.testing.assert_allclose(found.llms[number], llms.mean(axis=0), atol=1e-12)
        if slm.any() and not slm.all():
            assert found.auroc[number] == pytest.approx(roc_auc_score(slm, confidence), abs=1e-12)
        else:
            assert np.isnan(found.auroc[number])


@pytest.mark.parametrize("most", [4, 100_000])
def test_rows_may_weigh_differently_in_all(most: int) -> None:
    """As where rows without a confidence were left out, or where rows count very often."""
    rows = drawn(300, 1)
    weights = np.random.default_rng(2).integers(0, most, size=(300, 4)).astype(np.float32)
    found = resampled_areas(rows, [weights])
    for number in range(4):
        expected = roc_auc_score(rows.slm, rows.confidence, sample_weight=weights[:, number])
        assert found.auroc[number] == pytest.approx(expected, abs=1e-12)


def test_every_resample_has_as_many_rows_and_the_seed_decides_which() -> None:
    blocks = resampled_counts(50, 230, np.random.default_rng(3))
    assert sum(block.shape[1] for block in blocks) == 230
    assert all((block.sum(axis=0) == 50).all() for block in blocks)
    again = resampled_counts(50, 230, np.random.default_rng(3))
    assert all((one == two).all() for one, two in zip(blocks, again, strict=True))


def test_rows_as_they_are_are_exact() -> None:
    rows = drawn(500, 4, 10**6)
    found = areas(rows)
    assert found.auroc[0] == pytest.approx(roc_auc_score(rows.slm, rows.confidence), abs=1e-13)


def test_an_unknown_confidence_is_the_least_sure() -> None:
    unknown = Routable(np.array([np.nan, 0.0]), np.array([False, True]), np.array([[True], [True]]))
    assert areas(unknown).area.tolist() == [[0.875]]
