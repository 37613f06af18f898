"""What a backend is handed, what it returns, and what it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from slmroute_plugin.backends.work import Trace
from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import AnswerKind, Missing, Observation
from slmroute_plugin.signals import FirstTokenProbs, Restated, Signal, Tokens
from slmroute_plugin.storage.question_identity import IDENTITY_BYTES


class Span(NamedTuple):
    """A stretch of text, end excluded."""

    start: int
    end: int


@dataclass(frozen=True)
class Question:
    """A question, as the model is to be asked.

    Args:
        prompt: all that the model sees: system prompt, few-shot turns and the question,
            through the chat template if one is used.
        text: the question as the user turn states it, instruction included.
        kind: what sort of answer is expected.
        generation: lm-eval's generation settings (`until`, `max_gen_toks`, …).
        chat: whether `prompt` went through the chat template, and follow-ups are to as well.
        restated: the prompt for each restated question, or why there is none.
        messages: the conversation that the prompt was made from, for models that take one.
        restated_text: in place of `text`, what the user turn says for each restated question.
        locate: where a reply names the option that it chose, for choices and booleans.
        located_by: what `locate` depends on: the name of the scoring rule, and the options.
        identity: `question_identity` of the question itself, by which probes know it again.
    """

    prompt: str
    text: str
    kind: AnswerKind = "free"
    generation: Mapping[str, Any] = field(default_factory=dict)
    chat: bool = False
    restated: Mapping[Restated | FirstTokenProbs, str | Missing] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    restated_text: Mapping[Restated | FirstTokenProbs, str] = field(default_factory=dict)
    locate: Callable[[str], Span | None] | None = None
    located_by: Sequence[str] = ()
    identity: bytes = bytes(IDENTITY_BYTES)


@dataclass(frozen=True)
class Observed:
    """An observation of the question at `index`, as a backend delivers it.

    Attributes:
        ends_batch: whether the questions of one batch are complete with it. The journal keeps
            whole batches: what is left of a run is then batched as it would have been, and
            gives the same numbers to the last digit.
        is_answer: False where it stands in for an answer that could not be had, or a signal of it
            could not for now: it is not kept, and is asked for again by the next run.
        work: what each of its sequences took; empty where the backend cannot tell.
    """

    index: int
    observation: Observation
    tokens: Tokens | None = None
    ends_batch: bool = True
    is_answer: bool = True
    work: Trace = ()


def in_one_batch(observed: Sequence[Observed]) -> Iterator[Observed]:
    """Mark the observations of questions that ran together as one batch."""
    for one in observed[:-1]:
        yield replace(one, ends_batch=False)
    yield from observed[-1:]


class Backend(Protocol):
    """A backend, which delivers signals for one lm-eval model.

    Attributes:
        local: whether the model runs here, so that UQ methods are on by default.
    """

    local: bool

    def refuses(self, signal: Signal[Any]) -> str | None:
        """Return why this model cannot deliver `signal` at all; None if it can."""

    def observe(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Ask every question and deliver every signal; in any order, each question once.

        Raises:
            ValueError: a question that cannot be asked, before the first one is.
        """


@runtime_checkable
class ReadsPrompts(Protocol):
    """A backend that can deliver what prompts alone tell, without generating an answer."""

    def observe_prompts(
        self, questions: Sequence[Question], signals: AbstractSet[Signal[Any]], seed: int
    ) -> Iterator[Observed]:
        """Read the prompt of every question and deliver every signal; the answer is empty.

        No token of an answer is read, and none is generated that the signals do not take.

        Args:
            questions: The questions.
            signals: Signals that do not need an answer, at least one.
            seed: The seed, as for `observe`.

        Raises:
            ValueError: If a question cannot be asked; before the first one is.
        """


@runtime_checkable
class Resumable(Protocol):
    """A backend whose answers may be kept on disk, and be used in place of asking again.

    It takes questions in an order that depends on each question alone, so that those which
    are left after a crash come in the same order as before.
    """

    def fingerprint(self) -> Mapping[str, Any]:
        """Return all that determines an answer besides the question, as JSON without secrets."""


@runtime_checkable
class Advises(Protocol):
    """A backend that has no confidences by default, and says what to do about it.

    Attributes:
        advice: a line with the reason and the fix.
    """

    advice: str


class BatchSizes(Protocol):
    """A memory of how many questions are asked at once: a dict, or a journal's."""

    def get(self, setting: str, /) -> int | None:
        """Return the number of questions for a batch setting, if it is known."""

    def __setitem__(self, setting: str, size: int, /) -> None:
        """Remember the number of questions for a batch setting."""


@runtime_checkable
class SizesBatches(Protocol):
    """A backend that finds out how many questions fit into memory at once.

    Attributes:
        batch_sizes: what it found out for the task at hand, by its batch setting.
    """

    batch_sizes: BatchSizes


def no_such_signal(signal: Signal[Any], models: str) -> str:
    """Say that a kind of models has no such signal, and which one that is.

    Args:
        signal: of a kind that the backend does not know, a plugin's for instance.
        models: the kind of models, in the plural.
    """
    kind = type(signal)
    return f"{models} have no signal {kind.__module__}.{kind.__qualname__}"
