"""The asking of a backend for what the journal lacks, and the keeping of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from slmroute_plugin.backends import Backend, BatchSizes, Observed, Question, SizesBatches
from slmroute_plugin.journal.keys import ordered
from slmroute_plugin.journal.records import QuestionRecord, RecordedWork, TaskFacts
from slmroute_plugin.journal.store import Journal
from slmroute_plugin.observation import Observation
from slmroute_plugin.signals import Signal

Confidence = Mapping[str, float | None]
Observe = Callable[[Sequence[Question], AbstractSet[Signal[Any]], int], Iterator[Observed]]
"""A way in which a backend is asked: `Backend.observe`, or `ReadsPrompts.observe_prompts`."""


class KeyedQuestion(NamedTuple):
    """A question, and the key of what determines its answer."""

    question: Question
    key: bytes


@dataclass(frozen=True)
class ObservedBatch:
    """A batch of questions whose answers are known.

    Attributes:
        observed: What was seen, with the index of each question.
        reused: Whether the batch comes out of the journal.
        keep: A function to be called with the confidences in the order of `observed`; once it
            returns, the batch is on disk.
    """

    observed: list[Observed]
    reused: bool
    keep: Callable[[Sequence[Confidence]], None]


def recorded(
    backend: Backend,
    asked: Sequence[KeyedQuestion],
    signals: AbstractSet[Signal[Any]],
    seed: int,
    journal: Journal | None,
    task: TaskFacts,
    observe: Observe | None = None,
) -> Iterator[ObservedBatch]:
    """Yield what is observed for each question: first what the journal holds, then what is asked.

    A question that occurs several times is put to the backend once. A batch is kept whole or not
    at all, and a backend takes questions in an order that does not depend on which others there
    are. So the batches that are left after a crash are those that would have followed, and their
    numbers are the same to the last digit.

    Args:
        backend: The backend of the model.
        asked: The questions of a task, with their keys.
        signals: The signals to ask for.
        seed: The seed of the sampled answers.
        journal: The journal, or None to keep nothing.
        task: The task that the journal files the questions under.
        observe: The way in which the backend is asked; by default its `observe`.
    """
    indices: dict[bytes, list[int]] = {}
    for index, question in enumerate(asked):
        indices.setdefault(question.key, []).append(index)
    order = ordered(signals)

    def at_every_index(key: bytes, seen: Observed) -> list[Observed]:
        return [replace(seen, index=index) for index in indices[key]]

    records = journal.find(list(indices)) if journal is not None else {}
    if records:
        reused = [
            seen
            for key, record in records.items()
            for seen in at_every_index(
                key, _observed(record, asked[indices[key][0]].question, order)
            )
        ]
        yield ObservedBatch(reused, True, lambda confidences: None)
    left = [key for key in indices if key not in records]
    if not left:
        return
    if isinstance(backend, SizesBatches):
        backend.batch_sizes = _sizes(journal, task)
    questions = [asked[indices[key][0]].question for key in left]
    batch: dict[bytes, Observed] = {}
    for seen in (observe or backend.observe)(questions, signals, seed):
        batch[left[seen.index]] = seen
        if seen.ends_batch:
            yield _fresh(batch, at_every_index, order, journal, task)
            batch = {}
    if batch:
        yield _fresh(batch, at_every_index, order, journal, task)


def _fresh(
    batch: Mapping[bytes, Observed],
    at_every_index: Callable[[bytes, Observed], list[Observed]],
    order: Sequence[Signal[Any]],
    journal: Journal | None,
    task: TaskFacts,
) -> ObservedBatch:
    observed: list[Observed] = []
    first: dict[bytes, int] = {}
    for key, seen in batch.items():
        first[key] = len(observed)
        observed += at_every_index(key, seen)

    def keep(confidences: Sequence[Confidence]) -> None:
        if journal is not None:
            records = {
                key: _record(seen, order, confidences[first[key]])
                for key, seen in batch.items()
                if seen.is_answer
            }
            journal.keep(task, records)

    return ObservedBatch(observed, False, keep)


def _record(seen: Observed, order: Sequence[Signal[Any]], confidence: Confidence) -> QuestionRecord:
    delivered = seen.observation.signals
    signals = {at: delivered[signal] for at, signal in enumerate(order) if signal in delivered}
    places = {signal: at for at, signal in enumerate(order)}
    work = [
        RecordedWork(-1 if each.signal is None else places[each.signal], each._replace(signal=None))
        for each in seen.work
    ]
    return QuestionRecord(seen.observation.answer, seen.tokens, signals, dict(confidence), work)


def _observed(record: QuestionRecord, asked: Question, order: Sequence[Signal[Any]]) -> Observed:
    signals = {order[at]: value for at, value in record.signals.items() if at < len(order)}
    seen = Observation(asked.text, record.answer, asked.kind, signals)
    work = tuple(
        work._replace(signal=None if at < 0 else order[at])
        for at, work in record.work
        if at < len(order)
    )
    return Observed(0, seen, record.tokens, work=work)


class _KeptSizes:
    """A mapping of batch sizes that a journal remembers from one process to the next."""

    def __init__(self, journal: Journal, task: bytes) -> None:
        self._journal = journal
        self._task = task

    def get(self, setting: str) -> int | None:
        return self._journal.batch_size(self._task, setting)

    def __setitem__(self, setting: str, size: int) -> None:
        self._journal.keep_batch_size(self._task, setting, size)


def _sizes(journal: Journal | None, task: TaskFacts) -> BatchSizes:
    return {} if journal is None else _KeptSizes(journal, task.key)
