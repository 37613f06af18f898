"""The options of `slmroute sweep` that say how cells are run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Engine(str, Enum):
    """Who runs the cells."""

    local = "local"
    accelerate = "accelerate"
    ray = "ray"


@dataclass(frozen=True)
class RunOptions:
    """The options that say how cells are run."""

    engine: Engine
    jobs: int | None
    address: str | None
    store: str | None
    retries: int
