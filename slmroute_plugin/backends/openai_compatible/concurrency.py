"""Questions on their way to a server, several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from queue import SimpleQueue
from typing import Any, TypeAlias

from slmroute_plugin.backends.openai_compatible.capabilities import Abilities
from slmroute_plugin.backends.openai_compatible.server import Connection, Server
from slmroute_plugin.backends.openai_compatible.signal_requests import Asked, Form, Found, Interview
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.signals import Signal

_Result: TypeAlias = Found | Failure | None


class Run:
    """Questions on their way to a server, several at once.

    Args:
        server: where they go.
        form: how it is spoken to.
        abilities: what it gives; None if nothing is known, and nothing has been asked.
        signals: what is wanted.
        seed: of the drawn answers.
    """

    def __init__(
        self,
        server: Server,
        form: Form,
        abilities: Abilities | None,
        signals: AbstractSet[Signal[Any]],
        seed: int,
    ) -> None:
        self._server = server
        self._form = form
        self._abilities = abilities
        self._signals = signals
        self._seed = seed
        self._results: SimpleQueue[_Result] = SimpleQueue()
        self._is_stopped = False

    def results(self, every: Sequence[Asked]) -> Iterator[Found | Failure]:
        """What comes of the questions, as it comes; none for those that were not asked any more."""
        from anyio.from_thread import start_blocking_portal

        with start_blocking_portal() as portal:
            asking = portal.start_task_soon(self._ask, every)
            asking.add_done_callback(lambda _: self._results.put(None))
            try:
                while (result := self._results.get()) is not None:
                    yield result
            finally:
                # Of effect if the caller goes, as on Ctrl-C.
                asking.cancel()
        asking.result()

    async def _ask(self, every: Sequence[Asked]) -> None:
        from anyio import create_task_group

        async with self._server.connect() as connection:
            interview = self._interview(connection)
            rest = iter(every)
            if self._abilities is None:
                # Alone, so that a wrong key or an absent server costs one request.
                await self._one(interview, next(rest))
            async with create_task_group() as group:
                for _ in range(min(self._server.concurrency, len(every))):
                    group.start_soon(self._work, interview, rest)

    def _interview(self, connection: Connection) -> Interview:
        abilities = self._abilities or Abilities()
        return Interview(self._form, connection, abilities, self._signals, self._seed)

    async def _work(self, interview: Interview, rest: Iterator[Asked]) -> None:
        while not self._is_stopped:
            asked = next(rest, None)
            if asked is None:
                return
            await self._one(interview, asked)

    async def _one(self, interview: Interview, asked: Asked) -> None:
        result = await interview.ask(asked)
        if isinstance(result, Failure) and (result.is_fatal or result.is_unreached):
            self._is_stopped = True
        self._results.put(result)
