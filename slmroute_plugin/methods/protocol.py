"""The protocols that UQ methods meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from slmroute_plugin.signals import (
    Confidences,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    QuestionTerms,
    Reply,
    Signal,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows
    from slmroute_plugin.observation import Observation


TrainsOn: TypeAlias = Literal["in_domain", "out_of_domain"]
"""The rows to train on: those of the data set at hand, or those of all others."""


@runtime_checkable
class Method(Protocol):
    """A UQ method: signals to ask of the model, and a pure function of what was observed.

    A method for which the prompt alone is enough may say so by `before_answer = True`: questions
    can then be routed by it before there is an answer.

    Attributes:
        name: The name of the method, an identifier.
    """

    name: ClassVar[str]

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signals that `confidence` reads."""

    def confidence(self, seen: Observation) -> float | None:
        """Return the confidence in the answer, in [0, 1], higher is surer.

        A method that has no confidence returns None or raises `NoConfidence("why")`.
        """


@runtime_checkable
class AnswersItself(Protocol):
    """A method that obtains an answer of its own, which is scored in place of the greedy answer."""

    def answer(self, seen: Observation) -> str:
        """Return the method's own answer, a text that the final answer is extracted from."""


@runtime_checkable
class TrainedMethod(Protocol):
    """A UQ method that learns from answered questions what a right answer looks like.

    Attributes:
        name: The name of the method, an identifier.
        trains_on: The rows to train on: those of the data set at hand, or those of all others.
    """

    name: ClassVar[str]
    trains_on: ClassVar[TrainsOn]

    @property
    def asks(self) -> tuple[HiddenState | PromptStates | QuestionTerms | Confidences]:
        """The signal whose value is the feature: states, words, or other methods' confidences."""

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Return weights by name; the same rows and seed give the same weights."""

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the confidence in one answer, in [0, 1], from the answer's feature."""


AnyMethod: TypeAlias = Method | TrainedMethod


def needed_by(method: AnyMethod) -> tuple[Signal[object], ...]:
    """Return the signals that a method asks for, and the samples that its follow-ups show."""
    shown = (ask.samples for ask in method.asks if isinstance(ask, NextTokenProbs | Reply))
    return tuple(dict.fromkeys([*method.asks, *(one for one in shown if one is not None)]))


def asked_of_model(method: AnyMethod) -> tuple[Signal[object], ...]:
    """Return the signals that a method needs of the model, rather than of what is there anyway."""
    return tuple(signal for signal in needed_by(method) if signal.is_of_model)
