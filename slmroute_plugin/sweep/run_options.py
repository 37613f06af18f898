"""The options of `slmroute sweep` that say how cells are run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Engine(str, Enum):
    """The engine that runs the cells."""

    local = "local"
    accelerate = "accelerate"
    ray = "ray"


@dataclass(frozen=True)
class RunOptions:
    """The options that say how cells are run.

    Attributes:
        engine: the engine that runs the cells.
        jobs: the number of processes at the same time; None for one per GPU, or one.
        address: the address of a Ray cluster; None for a fresh one.
        store: the URL through which a Ray cluster's results come back; None for a shared folder.
        retries: the number of further attempts at a cell that was killed.
    """

    engine: Engine
    jobs: int | None
    address: str | None
    store: str | None
    retries: int
