"""Spreading requests or tokens evenly over time."""

from __future__ import annotations

import time


class Pace:
    """At most so much per minute, evenly spread, because servers count by the second too.

    It is bound to no event loop, so that one pace holds for all batches of a process.

    Args:
        per_minute: how much; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._per_minute = per_minute
        self._free_at = 0.0

    async def wait(self, amount: float = 1) -> None:
        """Return when `amount` more may be sent: first come, first served."""
        if self._per_minute is None:
            return
        from anyio import sleep

        now = time.monotonic()
        mine = max(now, self._free_at)
        self._free_at = mine + amount * 60 / self._per_minute
        await sleep(mine - now)
