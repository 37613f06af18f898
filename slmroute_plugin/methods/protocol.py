"""The protocols that UQ methods meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slmroute_plugin.methods.training_rows import TrainingRows
    from slmroute_plugin.observation import Observation
    from slmroute_plugin.signals import HiddenState, PromptStates, Signal


@runtime_checkable
class Method(Protocol):
    """A UQ method: what it asks of the model, and a pure function of what was seen."""

    name: ClassVar[str]

    @property
    def asks(self) -> tuple[Signal[object], ...]:
        """The signals that `confidence` reads."""

    def confidence(self, seen: Observation) -> float | None:
        """Confidence in [0, 1], higher is surer; None or `NoConfidence("why")` if unknown."""


@runtime_checkable
class AnswersItself(Protocol):
    """A method that obtains an answer of its own, which is scored in place of the greedy one."""

    def answer(self, seen: Observation) -> str:
        """The method's own answer, as text to extract the final answer from."""


@runtime_checkable
class TrainedMethod(Protocol):
    """A UQ method that learns from answered questions what a right answer looks like."""

    name: ClassVar[str]
    trains_on: ClassVar[Literal["in_domain", "out_of_domain"]]

    @property
    def asks(self) -> tuple[HiddenState | PromptStates]:
        """The one signal whose value is the feature: `HiddenState()` or `PromptStates()`."""

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Named weights; the same rows and seed give the same weights."""

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Confidence in [0, 1] of one answer, from its feature."""


AnyMethod: TypeAlias = Method | TrainedMethod
