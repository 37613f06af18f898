"""The run of one task with its journal, and the messages about what is reused and kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slmroute_plugin.backends import Backend, ReadsPrompts, Resumable
from slmroute_plugin.journal.code_version import code_version
from slmroute_plugin.journal.keys import digest, ordered, question_key, run_key
from slmroute_plugin.journal.recording import KeyedQuestion, Observe, ObservedBatch, recorded
from slmroute_plugin.journal.records import TaskFacts
from slmroute_plugin.journal.store import Journal
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.plan import TaskPlan
from slmroute_plugin.settings.schema import Settings
from slmroute_plugin.signals import Signal

logger = logging.getLogger(__name__)

# How fast and how often a model is asked, which changes no answer.
_OF_PACE = frozenset({"batch_size", "max_batch_size", "num_concurrent", "max_retries", "timeout"})


@dataclass
class RunningTask:
    """A task whose questions are being answered.

    Attributes:
        name: The name of the task.
        asked: The questions.
        journal: The journal, or None if nothing is kept.
        what: What is done with a question, as a participle.
        done: The number of questions that are done.
    """

    name: str
    asked: Sequence[KeyedQuestion]
    journal: Journal | None
    _batches: Iterator[ObservedBatch]
    what: str = "answered"
    done: int = field(default=0, init=False)

    @property
    def batches(self) -> Iterator[ObservedBatch]:
        """The batches of questions as they are observed, to be iterated over once.

        A batch must be kept before the next batch is taken.
        """
        for batch in self._batches:
            if batch.reused and self.journal is not None:
                logger.info(
                    "%s: %d of %d answers are taken from %s",
                    self.name,
                    len(batch.observed),
                    len(self.asked),
                    self.journal.path,
                )
            yield batch
            self.done += len(batch.observed)

    @property
    def interrupted(self) -> str:
        """The message for a user who stops the run."""
        done = self.done if self.journal is None else self._kept(self.journal)
        stopped = f"{self.name}: stopped with {done} of {len(self.asked)} questions {self.what}"
        if self.journal is None:
            return f"{stopped}. They are lost, as no journal is kept of them."
        return (
            f"{stopped}. They are kept in {self.journal.path}: the same command goes on from there"
        )

    def _kept(self, journal: Journal) -> int:
        # A run may be stopped right after a batch is kept, before the batch is counted.
        kept = journal.kept([question.key for question in self.asked])
        return sum(question.key in kept for question in self.asked)


class Stage(NamedTuple):
    """A stage of a task's run.

    Attributes:
        signals: The signals that the backend is asked for.
        answers: Whether the questions are answered, rather than their prompts read alone.
    """

    signals: AbstractSet[Signal[Any]]
    answers: bool = True

    def observe(self, backend: Backend) -> Observe:
        """Return the way in which a backend is asked."""
        if self.answers or not isinstance(backend, ReadsPrompts):
            return backend.observe
        return backend.observe_prompts


@contextmanager
def task_run(
    backend: Backend,
    name: str,
    instances: Sequence[RoutedInstance],
    plan: TaskPlan,
    stage: Stage,
) -> Iterator[RunningTask]:
    """Run one task: from its journal if the settings allow it, else by asking.

    Args:
        backend: The backend of the model.
        name: The name of the task.
        instances: The requests of this process, which may be none.
        plan: The plan of the task.
        stage: What is asked for.

    Raises:
        JournalError: If the journal cannot be used.
        KeyboardInterrupt: If the user stops the run; the text says how to go on.
    """
    # A process of several may have no share of a small task.
    settings = instances[0].settings if instances else Settings(journal=False)
    model = _model(backend, instances[0], plan) if instances else None
    code = code_version(backend)
    alone = {} if stage.answers else {"prompts": "alone"}
    key = run_key({**(model or {}), **alone}, stage.signals, settings.seed, code)
    asked = [
        KeyedQuestion(instance.question, question_key(key, instance.question, instance.doc))
        for instance in instances
        if instance.question is not None
    ]
    facts = TaskFacts(
        key=digest([key.hex(), name]),
        model=plan.source.model,
        task=name,
        code=code,
        about=_about(plan, stage, settings.seed),
    )
    with ExitStack() as stack:
        journal = None
        if settings.journal and model is not None:
            journal = stack.enter_context(Journal(settings.results))
        batches = recorded(
            backend,
            asked,
            stage.signals,
            settings.seed,
            journal,
            facts,
            stage.observe(backend),
        )
        what = "answered" if stage.answers else "read"
        run = RunningTask(name, asked, journal, batches, what)
        try:
            yield run
        except KeyboardInterrupt:
            raise KeyboardInterrupt(run.interrupted) from None


def _model(backend: Backend, instance: RoutedInstance, plan: TaskPlan) -> Mapping[str, Any] | None:
    """Return what determines the model's answers; None if that is unknown."""
    if not isinstance(backend, Resumable):
        return None
    if not (backend.local or instance.model_arguments):
        # The model was passed in, and nothing but its class can be seen.
        return None
    given = instance.model_arguments.items()
    return {
        "name": plan.source.model,
        "arguments": {name: value for name, value in given if name not in _OF_PACE},
        **backend.fingerprint(),
    }


def _about(plan: TaskPlan, stage: Stage, seed: int) -> str:
    signals = [type(signal).__name__ for signal in ordered(stage.signals)]
    return json.dumps({"signals": signals, "methods": [*plan.methods, *plan.fitted], "seed": seed})
