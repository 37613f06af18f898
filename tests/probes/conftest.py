"""Trained methods of a few lines, for tests of what fits and uses them."""

from __future__ import annotations

from typing import Any

import pytest
from probe_results import MeanProbe, Memory, OtherMeanProbe


@pytest.fixture
def methods() -> dict[str, Any]:
    return {"mean_probe": MeanProbe(), "other_mean_probe": OtherMeanProbe()}


@pytest.fixture
def memory() -> Any:
    return Memory()
