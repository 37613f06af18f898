"""A run of questions to a server, several of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from queue import SimpleQueue
from typing import Any, TypeAlias

from slmroute_plugin.backends.openai_compatible.capabilities import Capabilities
from slmroute_plugin.backends.openai_compatible.server import Connection, Server
from slmroute_plugin.backends.openai_compatible.signal_requests import (
    AskedQuestion,
    ModelInterface,
    Outcome,
    SignalRequests,
)
from slmroute_plugin.openai_protocol.failures import Failure
from slmroute_plugin.signals import Signal

_Result: TypeAlias = Outcome | Failure | None


class ConcurrentQuestions:
    """A run of questions to a server, several of them at once.

    Args:
        server: where they go.
        interface: how it is spoken to.
        capabilities: what it gives; None if nothing is known, and nothing has been asked.
        signals: what is wanted.
        seed: of the drawn answers.
        kind: the requests for a question: with an answer, or for what its prompt tells alone.
    """

    def __init__(
        self,
        server: Server,
        interface: ModelInterface,
        capabilities: Capabilities | None,
        signals: AbstractSet[Signal[Any]],
        seed: int,
        kind: type[SignalRequests] = SignalRequests,
    ) -> None:
        self._kind = kind
        self._server = server
        self._interface = interface
        self._capabilities = capabilities
        self._signals = signals
        self._seed = seed
        self._results: SimpleQueue[_Result] = SimpleQueue()
        self._is_stopped = False

    def results(self, every: Sequence[AskedQuestion]) -> Iterator[Outcome | Failure]:
        """Ask the questions, and yield outcomes as they come; none for questions never asked."""
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

    async def _ask(self, every: Sequence[AskedQuestion]) -> None:
        from anyio import create_task_group

        # Capabilities are known by an answer of the server.
        has_answered = self._capabilities is not None
        async with self._server.connect(has_answered=has_answered) as connection:
            requests = self._requests(connection)
            rest = iter(every)
            if self._capabilities is None:
                # Alone, so that a wrong key or an absent server costs one request.
                await self._one(requests, next(rest))
            async with create_task_group() as group:
                for _ in range(min(self._server.concurrency, len(every))):
                    group.start_soon(self._work, requests, rest)

    def _requests(self, connection: Connection) -> SignalRequests:
        capabilities = self._capabilities or Capabilities()
        return self._kind(self._interface, connection, capabilities, self._signals, self._seed)

    async def _work(self, requests: SignalRequests, rest: Iterator[AskedQuestion]) -> None:
        while not self._is_stopped:
            asked = next(rest, None)
            if asked is None:
                return
            await self._one(requests, asked)

    async def _one(self, requests: SignalRequests, asked: AskedQuestion) -> None:
        result = await requests.ask(asked)
        if isinstance(result, Failure) and (result.is_fatal or result.is_unreached):
            self._is_stopped = True
        self._results.put(result)
