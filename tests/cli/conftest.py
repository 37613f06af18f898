"""Fixtures of the command line: a grid for `slmroute sweep`, whose models are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo_grid import Demo, save_tiny_models, write_demo


@pytest.fixture
def there(tiny: Any, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The demo grid, with its folder as the present one."""
    models = save_tiny_models(tiny, tokenizer, tmp_path / "models")
    (tmp_path / "grid").mkdir()
    demo = write_demo(tmp_path / "grid", models)
    monkeypatch.chdir(demo.folder)
    return demo
