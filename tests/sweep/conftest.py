"""Fixtures of sweeps: the demo grid, a plain run to hold it against, and a server of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from demo_grid import Demo, Rows, forget_servers, plain_rows_of, save_tiny_models, write_demo


@pytest.fixture(scope="session")
def tiny_models(
    tiny: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Two tiny random models of different kinds, as folders that lm-eval can load."""
    return save_tiny_models(tiny, tokenizer, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def make_demo(
    tiny_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Demo]:
    """Makes a fresh folder with the demo grid."""
    return lambda: write_demo(tmp_path_factory.mktemp("grid"), tiny_models)


@pytest.fixture
def demo(make_demo: Callable[[], Demo]) -> Demo:
    """A fresh folder with the demo grid."""
    return make_demo()


@pytest.fixture
def there(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The demo grid, with its folder as the present one."""
    monkeypatch.chdir(demo.folder)
    return demo


@pytest.fixture(scope="session")
def plain_rows(tiny_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What plain lm-eval runs of both models on both tasks give, without any sweep."""
    return plain_rows_of(tiny_models, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty folder on a server of this machine that speaks S3."""
    needed = "needs pip install s3fs 'moto[server]'"
    pytest.importorskip("s3fs", reason=needed)
    server = pytest.importorskip("moto.server", reason=needed).ThreadedMotoServer(
        "127.0.0.1", port=0, verbose=False
    )
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    forget_servers()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    # Servers of one process share what they hold.
    yield f"s3://bucket/{tmp_path.name}"
    server.stop()
    forget_servers()
