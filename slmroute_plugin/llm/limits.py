"""The limits that hold for all batches of a process: dollars, requests and tokens per minute."""

from __future__ import annotations

import time
from dataclasses import dataclass


class Budget:
    """A limit in dollars, or no limit.

    The budget is looked at before each request. Requests that are on their way by then are still
    answered and paid, so that the limit is overshot by `max_concurrency` requests at most. The
    price of an attempt that brought no answer (a timeout, a cut connection) is unknown and not
    counted.

    Args:
        limit_usd: The dollars after which nothing more is asked; None for no limit.
        within: A budget that all of it counts towards too; None for none.

    Attributes:
        spent_usd: The dollars spent so far, over the answers whose price is known.
    """

    def __init__(self, limit_usd: float | None, within: Budget | None = None) -> None:
        self._limit_usd = limit_usd
        self._within = within
        self.spent_usd = 0.0

    def spend(self, cost_usd: float | None) -> None:
        """Count the price of an answer, if it is known."""
        self.spent_usd += cost_usd or 0.0
        if self._within is not None:
            self._within.spend(cost_usd)

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be asked."""
        return self._limit_usd is not None and self.spent_usd >= self._limit_usd

    @property
    def refusal(self) -> str:
        """The error of a question that is not asked because the budget is spent."""
        return f"not asked: max_cost_usd ({self._limit_usd:g}) is reached"


class Pace:
    """A limit per minute, spread evenly, because servers count by the second too.

    A pace is bound to no event loop, so that it can hold for all batches of a process.

    Args:
        per_minute: The amount that may be sent in a minute; None for no limit.
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
    """The limits that hold for all batches of a process.

    Attributes:
        budget: The limit in dollars.
        requests: The limit of requests per minute.
        tokens: The limit of tokens per minute.
    """

    budget: Budget
    requests: Pace
    tokens: Pace

    async def turn(self, tokens: float) -> None:
        """Return when a request of so many tokens may be sent; at once if the budget is spent."""
        if not self.budget.is_spent:
            await self.requests.wait()
            await self.tokens.wait(tokens)
