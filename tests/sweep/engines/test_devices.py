"""GPUs of one machine: lent to one cell at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from slmroute_plugin.sweep.engines.local import Devices
from slmroute_plugin.sweep.environment import gpu_ids, gpu_names
from slmroute_plugin.sweep.grid.cells import Cell, Needs


def cell(gpus: float) -> Cell:
    return Cell(0, "m", "slm", "math", "evaluation", ("t",), {"model": "hf"}, Needs(gpus, 1, None))


def test_no_two_cells_have_the_same_gpu() -> None:
    devices, lock = Devices(["0", "1", "7"]), threading.Lock()
    held: set[str] = set()
    counts: list[int] = []

    def take(gpus: float) -> None:
        with devices.lent(cell(gpus)) as environment:
            mine = set(environment["CUDA_VISIBLE_DEVICES"].split(","))
            with lock:
                assert not held & mine
                held.update(mine)
                counts.append(len(mine))
            with lock:
                held.difference_update(mine)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(take, gpus) for gpus in (1, 2, 3, 0.5) * 20]:
            future.result(timeout=30)
    assert sorted(counts) == sorted([1, 2, 3, 1] * 20)


def test_a_cell_that_needs_none_sees_none_and_waits_for_none() -> None:
    devices = Devices(["0"])
    with devices.lent(cell(1)), devices.lent(cell(0)) as environment:
        assert environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_without_gpus_nothing_is_set() -> None:
    with Devices([]).lent(cell(1)) as environment:
        assert environment == {}


def test_the_environments_choice_of_gpus_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-1a2b")
    assert gpu_ids() == ["3", "GPU-1a2b"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_ids() == []
    assert gpu_names() == []
