"""The UQ methods `question_length` and `question_length_ood`: how many words the question has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from slmroute_plugin import QuestionTerms, TrainingRows
from slmroute_plugin.methods.protocol import TrainsOn
from uq_plugins.logistic_regression import fit_logistic, predict_logistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class QuestionLength:
    """A logistic regression on log(1 + the number of words of the question), and nothing else.

    The least that a method has to beat. Range [0, 1]. Source: none; whether long questions are hard
    is learned.
    """

    name: ClassVar[str] = "question_length"
    trains_on: ClassVar[TrainsOn] = "in_domain"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[QuestionTerms]:
        """The signal for the words of the question."""
        return (QuestionTerms(),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the regression; return its `weight` [1] and `bias` [1], float32."""
        return fit_logistic(_log_length(rows.features()), rows.correct)

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the probability, in [0, 1], that the answer is right."""
        return predict_logistic(weights, _log_length(feature))


@dataclass(frozen=True)
class QuestionLengthOod(QuestionLength):
    """The regression of `question_length`, trained on all data sets but that at hand.

    Range [0, 1].
    """

    name: ClassVar[str] = "question_length_ood"
    trains_on: ClassVar[TrainsOn] = "out_of_domain"


def _log_length(words: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log(1 + the number of words) of questions, [..., 4096], as features, [..., 1]."""
    import numpy as np

    return np.asarray(np.log1p(words.sum(axis=-1, keepdims=True)))
