"""A word to whoever waits for an engine whose process was killed: vLLM would wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from multiprocessing import connection
from typing import Any
from weakref import WeakSet

from slmroute_plugin.backends.vllm.engine import DIED, EngineError

_watched: WeakSet[Any] = WeakSet()


def wake_at_death(lm: Any) -> None:
    """Have a call of the engine fail when a process of the engine ends in the meantime.

    vLLM's client notices an engine that reports its own death, and fails the next call. A call
    that waits while the engine is killed, by a system without memory for instance, waits on.
    """
    core = lm.model.llm_engine.engine_core
    queue = getattr(core, "outputs_queue", None)
    manager = getattr(getattr(core, "resources", None), "engine_manager", None)
    sentinels = [process.sentinel for process in getattr(manager, "processes", ())]
    if queue is None or not sentinels or core in _watched:
        return
    _watched.add(core)
    threading.Thread(target=_wake, args=(sentinels, queue), daemon=True).start()


def _wake(sentinels: Sequence[int], queue: Any) -> None:
    connection.wait(sentinels)
    # A reply of the client's: exceptions among them are raised.
    queue.put(EngineError(DIED))
