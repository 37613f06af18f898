"""The limits that hold for all batches of a process: dollars, requests and tokens per minute."""

from __future__ import annotations

import time
from dataclasses import dataclass


class Budget:
    """A limit in dollars, or none.

    It is looked at before each request. Requests that are on their way by then are still
    answered and paid, so that the limit is overshot by `max_concurrency` of them at most.
    What an attempt cost that brought no answer (a timeout, a cut connection) is not known,
    and not counted.

    Args:
        limit_usd: when so much is spent, nothing more is asked; None for no limit.

    Attributes:
        spent_usd: so far, over the answers whose price is known.
    """

    def __init__(self, limit_usd: float | None) -> None:
        self._limit_usd = limit_usd
        self.spent_usd = 0.0

    def spend(self, cost_usd: float | None) -> None:
        """Count the price of an answer, if it is known."""
        self.spent_usd += cost_usd or 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be asked."""
        return self._limit_usd is not None and self.spent_usd >= self._limit_usd

    @property
    def refusal(self) -> str:
        """Why nothing more is asked."""
        return f"not asked: max_cost_usd ({self._limit_usd:g}) is reached"


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


@dataclass
class Limits:
    """What holds for all batches of a process: dollars, requests and tokens per minute."""

    budget: Budget
    requests: Pace
    tokens: Pace
