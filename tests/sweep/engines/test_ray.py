"""Cells on a Ray cluster of several nodes, all of them on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from demo_grid import ARITHMETIC, Demo, Rows, same_rows, sample_rows

from slmroute_plugin.sweep.cell_run import Order
from slmroute_plugin.sweep.engines.ray import Cluster as Where
from slmroute_plugin.sweep.engines.ray import run_on_ray
from slmroute_plugin.sweep.grid.grid_file import load_grid
from slmroute_plugin.sweep.planning.plan import make_plan
from slmroute_plugin.sweep.records import CellRecord

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that runs nothing, and two nodes for one cell each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    yield made
    made.shutdown()


def orders_of(demo: Demo) -> list[Order]:
    plan = make_plan(load_grid(demo.grid), demo.grid)
    return [Order(one.cell, demo.results, directory=demo.folder) for one in plan.cells]


def journals(demo: Demo) -> list[str]:
    return [p.parts[-4] for p in demo.results.glob(".sweep/*/runs/.journal/journal.sqlite")]


def when(what: Callable[[], object], then: Callable[[], object]) -> threading.Thread:
    """Do something as soon as something else is true, while the test goes on."""

    def watch() -> None:
        deadline = time.monotonic() + 200
        while not what() and time.monotonic() < deadline:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_node_lost_in_the_middle_changes_nothing(
    cluster: Any, there: Demo, plain_rows: Rows
) -> None:
    lost = cluster.list_all_nodes()[1]
    killer = when(
        lambda: len(journals(there)) >= 2,
        lambda: cluster.remove_node(lost, allow_graceful=False),
    )
    records: list[CellRecord] = list(
        run_on_ray(orders_of(there), Where(cluster.address), lambda order: None)
    )
    killer.join(timeout=1)
    assert not killer.is_alive()
    assert len(cluster.list_all_nodes()) == 2
    assert [record.state for record in records] == ["done"] * 4, records
    same_rows(sample_rows(there.results), plain_rows)


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store. Nodes have the environment in which they are started: it comes before them."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    return (tmp_path / "store").as_uri()


def test_results_come_back_through_a_url(
    url: str, cluster: Any, there: Demo, plain_rows: Rows
) -> None:
    there.change(tasks={"words": ARITHMETIC}, slms=["tiny-llama.yaml"])
    orders = orders_of(there)
    where = Where(cluster.address, url)
    records = list(run_on_ray(orders, where, lambda order: None))
    assert [record.state for record in records] == ["done"], records
    # The nodes worked elsewhere: what is here was fetched.
    assert not list(there.results.glob(".sweep/*/config.yaml"))
    found = sample_rows(there.results)
    assert len(found) == 4
    assert (there.results / records[0].log).is_file()
    for key, row in found.items():
        assert row["resps"] == plain_rows[key]["resps"]
