"""Results through a URL: a folder, a server that speaks S3, and what does not work is named."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from demo_grid import Demo, forget_servers, invoke

from slmroute_plugin.sweep.engines.store import Store, StoreError, fetched
from slmroute_plugin.sweep.records import CellRecord

LOG, SAMPLES = ".sweep/0-cell/log.txt", "model/samples_task_2026.jsonl"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store."""
    if request.param == "s3":
        return Store(request.getfixturevalue("s3"))
    return Store((tmp_path / "store").as_uri())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with a log and a file of samples."""
    for name in (LOG, SAMPLES):
        path = tmp_path / "node" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"of {name}", encoding="utf-8")
    return tmp_path / "node"


def record(*files: str, log: str = LOG) -> CellRecord:
    return CellRecord(
        "cell", "digest", "done", 0, 1, "2026-01-01T00:00:00", 1.0, log=log, files=files
    )


def test_what_is_put_there_can_be_fetched(store: Store, written: Path, tmp_path: Path) -> None:
    store.put(written, [LOG, SAMPLES])
    done = record(SAMPLES)
    assert fetched(done, store, tmp_path / "results") == done
    for name in (LOG, SAMPLES):
        assert (tmp_path / "results" / name).read_text(encoding="utf-8") == f"of {name}"


def test_a_check_leaves_nothing_there(store: Store) -> None:
    store.check()
    system, root = fsspec.url_to_fs(store.url)
    assert system.find(root) == []


def test_a_file_that_is_not_there_fails_the_cell_and_leaves_no_half_of_it(
    store: Store, written: Path, tmp_path: Path
) -> None:
    store.put(written, [LOG])
    failed = fetched(record(SAMPLES), store, tmp_path / "results")
    assert (failed.state, failed.files) == ("failed", ())
    assert f"cannot be read from {store.url} (FileNotFoundError" in failed.tail[0]
    assert [path.name for path in (tmp_path / "results").rglob("*") if path.is_file()] == [
        "log.txt"
    ]


def test_a_server_that_is_gone_fails_the_cell(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(s3)
    store.check()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    forget_servers()
    failed = fetched(record(SAMPLES), store, tmp_path)
    assert failed.state == "failed"
    assert "EndpointConnectionError" in failed.tail[0]


def test_of_a_lost_node_nothing_is_fetched(tmp_path: Path) -> None:
    lost = record(log="")
    assert fetched(lost, Store("memory://nowhere"), tmp_path) is lost


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://bucket", r"written to nonsense://bucket \(ValueError: Protocol not known"),
        ("dropbox://folder", r"written to dropbox://folder \(ImportError: .*install"),
        ("file:///dev/null/grid", r"written to file:///dev/null/grid \(NotADirectoryError"),
    ],
)
def test_a_store_that_cannot_be_used_is_named_with_the_reason(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        Store(url).check()


def test_a_sweep_tries_its_store_before_the_first_cell(
    there: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    done = invoke(there.grid, "--engine", "ray", "--store", "nonsense://bucket")
    assert done.exit_code == 2
    assert "--store: Files cannot be written to nonsense://bucket" in done.output
    assert not there.results.exists()
