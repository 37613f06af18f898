"""Training a probe: the same bits for the same seed whatever is around it, and every row counts."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from probe_rows import QUICK, drawn, same

from slmroute_plugin import TrainingRows
from uq_plugins import OodProbe, TrainedProbe


@pytest.mark.parametrize("probe", [TrainedProbe(), OodProbe()], ids=lambda probe: probe.name)
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
