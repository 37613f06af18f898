"""The UQ methods `question_length` and `question_length_ood`: how many words the question has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from slmroute_plugin import QuestionTerms, TrainingRows
from uq_plugins.mlp import sigmoid

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
    trains_on: ClassVar[Literal["in_domain", "out_of_domain"]] = "in_domain"
    on_request: ClassVar[bool] = True

    @property
    def asks(self) -> tuple[QuestionTerms]:
        """The signal for the words of the question."""
        return (QuestionTerms(),)

    def fit(self, rows: TrainingRows, seed: int) -> Mapping[str, NDArray[np.float32]]:
        """Fit the regression; return its `weight` [1] and `bias` [1], float32."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        lengths = np.log1p(rows.features().sum(axis=1, keepdims=True))
        regression = LogisticRegression(max_iter=1000, random_state=seed).fit(lengths, rows.correct)
        return {
            "weight": np.asarray(regression.coef_[0], dtype=np.float32),
            "bias": np.asarray(regression.intercept_, dtype=np.float32),
        }

    def predict(
        self, weights: Mapping[str, NDArray[np.float32]], feature: NDArray[np.float32]
    ) -> float:
        """Return the probability, in [0, 1], that the answer is right."""
        import numpy as np

        length = float(np.log1p(feature.sum()))
        return sigmoid(length * float(weights["weight"][0]) + float(weights["bias"][0]))


@dataclass(frozen=True)
class QuestionLengthOod(QuestionLength):
    """The regression of `question_length`, trained on all data sets but that at hand.

    Range [0, 1].
    """

    name: ClassVar[str] = "question_length_ood"
    trains_on: ClassVar[Literal["in_domain", "out_of_domain"]] = "out_of_domain"
