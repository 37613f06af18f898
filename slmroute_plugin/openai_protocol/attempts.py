"""The repetition of a request for as long as that may help."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TypeVar

from slmroute_plugin.openai_protocol.endpoint import Endpoint
from slmroute_plugin.openai_protocol.failures import Failure, failure_of

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass
class Attempts:
    """A limit of attempts for each request, and the waits between them.

    Attributes:
        endpoint: The endpoint that the requests go to.
        most: The largest number of attempts, the first included.
        back_off_s: The scale of the waits in seconds; see `Failure.wait_s`.
        has_answered: Whether the server has answered a request, so that a refusal is about its
            question and not about the key or the model.
        longest_wait_s: The longest wait in seconds; what asks for a longer one has failed.
    """

    endpoint: Endpoint
    most: int
    back_off_s: float
    has_answered: bool = False
    longest_wait_s: float = inf
    # A generator of its own: the seeds of the process are for the model's samples.
    _random: Random = field(default_factory=Random, repr=False, compare=False)

    async def make(self, request: Callable[[], Awaitable[T]]) -> T | Failure:
        """Make a request until it succeeds; return its result, or the failure that ended it."""
        from anyio import sleep

        for attempt in range(1, self.most + 1):
            try:
                result = await request()
            except Exception as error:
                failure = failure_of(error, self.endpoint).judged(has_answered=self.has_answered)
            else:
                self.has_answered = True
                return result
            if not failure.may_pass:
                return failure
            if attempt < self.most:
                wait_s = failure.wait_s(attempt, self.back_off_s, self._random)
                if wait_s > self.longest_wait_s:
                    break
                logger.info("attempt %d: %s; the next in %.1f s", attempt, failure.text, wait_s)
                await sleep(wait_s)
        return failure._replace(text=f"{failure.text} (attempts: {attempt})")
