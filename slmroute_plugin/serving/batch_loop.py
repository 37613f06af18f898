"""The batch loop of an SLM in this process: questions that wait are answered together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from slmroute_plugin.observation import Answer
from slmroute_plugin.serving.slm_service import SlmQuestion, SlmUnavailable
from slmroute_plugin.signals import Signal

if TYPE_CHECKING:
    from slmroute_plugin.run.assessor import Assessor
    from slmroute_plugin.run.instance import RoutedInstance

logger = logging.getLogger(__name__)

_LONGEST_JOIN_S = 10.0
_TOO_LONG = "the conversation and an answer of max_tokens do not fit the model's context"


class _Waiting(NamedTuple):
    """A question that waits, and the future of its answer; of its assessment, if `is_prompt`."""

    question: SlmQuestion
    answer: asyncio.Future[Answer]
    is_prompt: bool


class BatchLoop:
    """A thread that takes all questions that wait, up to a batch, and answers them together.

    Args:
        assessor: The model, with the methods that run.
        batch: The largest number of questions that are taken at once.
        most_waiting: The number of questions that may wait; a further question is refused.
        of_prompt: What is seen of a prompt for a method that needs no answer.
    """

    def __init__(
        self,
        assessor: Assessor,
        batch: int,
        most_waiting: int,
        of_prompt: frozenset[Signal[Any]] = frozenset(),
    ) -> None:
        self._of_prompt = of_prompt
        self._assessor = assessor
        self._batch = batch
        self._most_waiting = most_waiting
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        # A model that hangs must not keep the process.
        self._thread = Thread(target=self._run, name="slm", daemon=True)
        self._thread.start()

    async def answer(self, question: SlmQuestion) -> Answer:
        """Answer a question with the next batch; see `SlmService`."""
        return await self._wait(question, is_prompt=False)

    async def unanswered(self, question: SlmQuestion) -> Answer:
        """Assess a question by its prompt with the next batch; see `SlmService`."""
        return await self._wait(question, is_prompt=True)

    async def _wait(self, question: SlmQuestion, *, is_prompt: bool) -> Answer:
        if self._queue.qsize() >= self._most_waiting:
            raise SlmUnavailable("slm_overloaded", f"{self._most_waiting} questions wait already")
        waiting = _Waiting(question, self._loop.create_future(), is_prompt)
        self._queue.put(waiting)
        return await waiting.answer

    async def close(self) -> None:
        """End the thread once the batch at hand is answered."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, _LONGEST_JOIN_S)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            # A client that has gone has cancelled its question.
            batch = [each for each in batch if not each.answer.cancelled()]
            # What is asked of prompts alone is soon told.
            for is_prompt in (True, False):
                self._answer([each for each in batch if each.is_prompt == is_prompt])

    def _next_batch(self) -> list[_Waiting] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < self._batch:
            try:
                further = self._queue.get_nowait()
            except Empty:
                break
            if further is None:
                self._queue.put(None)
                break
            batch.append(further)
        return batch

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Answer a batch; if it fails, answer its questions one by one."""
        asked: list[tuple[_Waiting, RoutedInstance]] = []
        for waiting in batch:
            try:
                instance = self._assessor.instance(*waiting.question)
                fits = self._assessor.fits(instance)
            except Exception as error:  # the chat template or the tokenizer refuses the text
                # Only our own errors are known not to quote the question.
                why = str(error) if isinstance(error, ValueError) else type(error).__name__
                self._deliver(waiting, SlmUnavailable("slm_cannot_be_asked", why))
                continue
            if fits:
                asked.append((waiting, instance))
            else:  # the model would see a part of it
                self._deliver(waiting, SlmUnavailable("slm_cannot_be_asked", _TOO_LONG))
        if not asked:
            return
        try:
            instances = [instance for _, instance in asked]
            if asked[0][0].is_prompt:
                answers = self._assessor.unanswered(instances, self._of_prompt)
            else:
                answers = self._assessor.answers(instances)
        except Exception as error:  # any fault of a model
            if len(asked) > 1:
                for waiting, _ in asked:
                    self._answer([waiting])
                return
            reason = "slm_cannot_be_asked" if isinstance(error, ValueError) else "slm_error"
            logger.warning("the SLM failed: %s: %s", type(error).__name__, error)
            self._deliver(asked[0][0], SlmUnavailable(reason, type(error).__name__))
            return
        for (waiting, _), answer in zip(asked, answers, strict=True):
            self._deliver(waiting, answer)

    def _deliver(self, waiting: _Waiting, result: Answer | SlmUnavailable) -> None:
        def deliver() -> None:
            if waiting.answer.done():  # cancelled
                return
            if isinstance(result, SlmUnavailable):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)

        self._loop.call_soon_threadsafe(deliver)


@asynccontextmanager
async def batch_loop(
    assessor: Assessor,
    batch: int,
    most_waiting: int,
    of_prompt: frozenset[Signal[Any]] = frozenset(),
) -> AsyncIterator[BatchLoop]:
    """Run a batch loop for the time of the block; see `BatchLoop`."""
    loop = BatchLoop(assessor, batch, most_waiting, of_prompt)
    try:
        yield loop
    finally:
        await loop.close()


def batch_size(lm: object) -> int:
    """Return the number of questions that lm-eval's model takes at once.

    A model that finds out for itself is handed up to 64, and parts them as memory allows.
    """
    given = getattr(lm, "batch_size", 1)
    return given if isinstance(given, int) and given > 0 else 64
